#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "job/job.h"
#include "storage/object_store.h"

/// What a chunk came to, as it is recorded.
namespace spillway::engine {

/// Bytes that a chunk has staged for one output file.
struct Part {
  std::string file;  ///< Name of the output file, relative to the job's directory.
  std::vector<storage::ObjectRange> ranges;
  int64_t rows = 0;
  uint64_t bytes = 0;
  std::string sha256;  ///< Hexadecimal, over the part's bytes.
  std::string epoch;   ///< The epoch of its store (Traits) when they were staged.
  std::string detail;  ///< The recipe's own (a zip entry as JSON); may be empty.
};

/// A row or object that was left out or failed, as it is listed in the manifest.
struct ErrorRecord {
  std::string key;             ///< What it concerns.
  std::string classification;  ///< "excluded" or the name of an ErrorCode.
  std::string message;
};

/// A file that the chunk has put in its place itself, because each stands for its own: the job's
/// end publishes nothing more than the manifest that lists it. Several files may belong to one of
/// the items that the job counts.
struct PublishedFile {
  std::string item;
  std::string key;  ///< In the destination's store; not relative to the job's directory.
  int64_t rows = 0;
  uint64_t bytes = 0;
  std::string sha256;  ///< Hexadecimal, over the whole file.
};

/// What a chunk came to: files in the making or in their place, actions counted, or both. Where
/// files are published by chunks, all of the job's are, and it counts items instead of rows.
struct ChunkResult {
  Counts counts;
  std::vector<Part> parts;
  std::vector<PublishedFile> published;
  std::vector<ErrorRecord> errors;
  uint64_t source_bytes = 0;  ///< Read of the source, as far as the recipe counts them.
};

std::string ToJson(const ChunkResult& result);
Result<ChunkResult> ChunkResultFromJson(std::string_view json);

}  // namespace spillway::engine
