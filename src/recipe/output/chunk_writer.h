#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/clock.h"
#include "base/error.h"
#include "recipe/output/output_options.h"
#include "recipe/output/part_encoder.h"
#include "recipe/recipe.h"
#include "staging/staging.h"

namespace spillway::recipe {

/// The stage that an archive's members and directory go to.
inline constexpr std::string_view kArchive = "archive";

/// Whether every part becomes a file of its own: formats that cannot be joined, and a limit on the
/// bytes of a file, which only the encoder of the rows can keep.
bool PartsAreFiles(const OutputOptions& output, const FileKind& kind);

/// Rows of a chunk that stand in one file.
struct FileRun {
  std::string file;   ///< The output file, or the zip member.
  bool first = true;  ///< They open it.
  bool last = true;   ///< They close it.
  int64_t rows = 0;   ///< Of a chunk's last run whatever comes, so that nothing is left over.
};

/// Writes the rows of one chunk, run by run, in as many parts as the limits ask for. One thread at
/// a time.
class ChunkWriter {
 public:
  ChunkWriter(const OutputOptions& output, const FileKind& kind, const arrow::Schema& schema,
              std::vector<FileRun> runs, int64_t chunk, Timestamp modified,
              engine::Staging& staging);

  Result<> Append(const arrow::RecordBatch& batch, std::stop_token stop);
  /// What was written so far, after compression.
  uint64_t bytes() const;
  /// What the chunk came to, with all parts, in order; at least one. Of its plan, `rows` were to be
  /// written, and `cut_off` were left out at limits.rows_per_file.
  Result<engine::ChunkResult> Finish(int64_t rows, int64_t cut_off, std::stop_token stop);

 private:
  Result<> AppendToRun(const arrow::RecordBatch& batch, std::stop_token stop);
  Result<> Open(bool last);
  Result<> Close(std::stop_token stop);
  /// How many of the batch's first rows fit into what a part may still take; 0: none.
  Result<int64_t> Fitting(const arrow::RecordBatch& batch, uint64_t room) const;
  Result<uint64_t> Measure(const arrow::RecordBatch& batch) const;

  const OutputOptions& output_;
  const FileKind& kind_;
  const arrow::Schema& schema_;
  const std::vector<FileRun> runs_;
  const int64_t chunk_;
  const Timestamp modified_;
  engine::Staging& staging_;
  const uint64_t part_bytes_max_;  ///< 0: one part, however large.
  size_t run_ = 0;
  int64_t rows_of_run_ = 0;
  size_t parts_of_run_ = 0;
  std::unique_ptr<PartEncoder> encoder_;
  std::vector<engine::Part> parts_;
};

}  // namespace spillway::recipe
