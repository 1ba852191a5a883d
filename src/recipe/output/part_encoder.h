#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "envelope/envelope.h"
#include "envelope/zip/zip.h"
#include "format/format.h"
#include "recipe/output/output_options.h"
#include "recipe/recipe.h"
#include "staging/staging.h"

namespace spillway::recipe {

/// The format and envelope of files of rows, made once a chunk.
struct FileKind {
  std::unique_ptr<format::Format> format;
  std::unique_ptr<envelope::Envelope> envelope;  ///< None: zip, whose members are made one by one.

  static Result<FileKind> Make(const OutputOptions& output);

  /// Of a file outside an archive, or of a member inside one: ".csv", ".csv.gz".
  std::string extension() const;
};

/// Turns the batches of one part into staged bytes: rows → format → envelope → stage. One thread at
/// a time.
class PartEncoder {
 public:
  virtual ~PartEncoder() = default;
  virtual Result<> Append(const arrow::RecordBatch& batch, std::stop_token stop) = 0;
  /// Bytes encoded so far, before compression.
  virtual uint64_t encoded_bytes() const = 0;
  /// Bytes that have gone to the stage, or wait for their turn.
  virtual uint64_t written_bytes() const = 0;
  /// Stages the rest.
  virtual Result<engine::Part> Finish(std::stop_token stop) = 0;
};

/// A part of a plain or compressed file.
Result<std::unique_ptr<PartEncoder>> NewFilePart(const FileKind& kind, const arrow::Schema& schema,
                                                 format::Position position,
                                                 engine::PartWriter writer);

/// A part that is a member of a zip archive; its detail is the member's directory entry.
Result<std::unique_ptr<PartEncoder>> NewZipPart(const FileKind& kind, const arrow::Schema& schema,
                                                std::string member, Timestamp modified, int level,
                                                engine::PartWriter writer);

std::string ToJson(const envelope::ZipEntry& entry);
Result<envelope::ZipEntry> ZipEntryFromJson(std::string_view json);

}  // namespace spillway::recipe
