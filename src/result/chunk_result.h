#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "job/job.h"
#include "storage/object_store.h"

/// The result of a chunk, as it is recorded.
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

/// A file that the chunk itself has published, because it is complete without the other chunks'
/// work: at the job's end only the manifest that lists it is published. Several files may belong to
/// one of the items that the job counts.
struct PublishedFile {
  std::string item;
  std::string key;  ///< In the destination's store; not relative to the job's directory.
  int64_t rows = 0;
  uint64_t bytes = 0;
  std::string sha256;  ///< Hexadecimal, over the whole file.
};

/// The result of a chunk: parts of files, published files, counted actions, or several of these. If
/// chunks publish files, all files of the job are published by chunks, and it counts items instead
/// of rows.
struct ChunkResult {
  Counts counts;
  std::vector<Part> parts;
  std::vector<PublishedFile> published;
  std::vector<ErrorRecord> errors;
  uint64_t source_bytes = 0;  ///< Bytes read of the source, as far as the recipe counts them.
};

std::string ToJson(const ChunkResult& result);
Result<ChunkResult> ChunkResultFromJson(std::string_view json);

}  // namespace spillway::engine
