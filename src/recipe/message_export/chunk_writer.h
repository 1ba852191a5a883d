#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/staging.h"
#include "recipe/message_export/chunk_spec.h"
#include "recipe/message_export/options.h"
#include "recipe/message_export/part_encoder.h"
#include "recipe/recipe.h"

namespace spillway::recipe {

/// The stage that an archive's members and directory go to.
inline constexpr std::string_view kArchive = "archive";

/// Whether every part becomes a file of its own: formats that cannot be joined, and a limit on the
/// bytes of a file, which only the encoder of the rows can keep.
bool PartsAreFiles(const OutputOptions& output, const FileKind& kind);

/// Bytes of a part before compression.
uint64_t EncodedBytes(const Part& part);

/// kOutOfSpace for files over limits.bytes_per_file.
Result<> CheckBytes(const OutputOptions& output, const std::vector<Part>& parts);

/// Writes the rows of one chunk, in as many parts as the limits ask for. One thread at a time.
class ChunkWriter {
 public:
  ChunkWriter(const OutputOptions& output, const FileKind& kind, const arrow::Schema& schema,
              const ChunkSpec& spec, int64_t chunk, Timestamp modified, engine::Staging& staging);

  Result<> Append(const arrow::RecordBatch& batch, std::stop_token stop);
  /// All parts, in order; at least one.
  Result<std::vector<Part>> Finish(std::stop_token stop);

 private:
  Result<> Open(bool last);
  Result<> Close(std::stop_token stop);
  /// How many of the batch's first rows fit into what a part may still take; 0: none.
  Result<int64_t> Fitting(const arrow::RecordBatch& batch, uint64_t room) const;
  Result<uint64_t> Measure(const arrow::RecordBatch& batch) const;

  const OutputOptions& output_;
  const FileKind& kind_;
  const arrow::Schema& schema_;
  const ChunkSpec& spec_;
  const int64_t chunk_;
  const Timestamp modified_;
  engine::Staging& staging_;
  const uint64_t part_bytes_max_;  ///< 0: one part, however large.
  std::unique_ptr<PartEncoder> encoder_;
  std::vector<Part> parts_;
};

}  // namespace spillway::recipe
