#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "job/job.h"
#include "storage/object_store.h"

/// The result of a chunk, as it is recorded.
namespace spillway::engine {

/// Part::role of a report: a file that lists what became of each object, in rows of the recipe's
/// own. The engine joins the parts of a report in the order of the chunks, publishes the file, and
/// lists it in the manifest beside the files of the export, whose rows and bytes it is not part of.
/// Recipients read it.
inline constexpr std::string_view kReport = "report";

/// Bytes that a chunk has staged for one output file.
struct Part {
  std::string file;  ///< Name of the output file, relative to the job's directory.
  std::vector<storage::ObjectRange> ranges;
  int64_t rows = 0;
  uint64_t bytes = 0;
  std::string sha256;  ///< Hexadecimal, over the part's bytes.
  std::string epoch;   ///< The epoch of its store (Traits) when they were staged.
  std::string detail;  ///< The recipe's own (a zip entry as JSON); may be empty.
  std::string role;    ///< kReport; or empty: the recipe puts it into a file when it assembles.
};

/// ErrorRecord::classification of what was left out on purpose. Recipients read the message of
/// these; that of a failure may name hosts, paths and users, and stays in the chunk's record.
inline constexpr std::string_view kExcluded = "excluded";

/// A row or object that was left out or failed, as it is listed in the manifest.
struct ErrorRecord {
  std::string key;             ///< What it concerns.
  std::string classification;  ///< kExcluded or the name of an ErrorCode.
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

/// Sums by name, of the recipe's own: how many objects were copied, put, skipped.
using Tallies = std::map<std::string, int64_t>;

/// Where the whole of a result is that is too long for a record.
struct StoredResult {
  std::string key;     ///< Of an object of the stage; empty: the record has all of it.
  std::string sha256;  ///< Hexadecimal, of the object.
};

/// The result of a chunk: parts of files, published files, counted actions, or several of these. If
/// chunks publish files, all files of the job are published by chunks, and it counts items instead
/// of rows.
struct ChunkResult {
  Counts counts;
  Tallies tallies;
  std::vector<Part> parts;
  std::vector<PublishedFile> published;
  std::vector<ErrorRecord> errors;
  /// How many more errors there were than `errors` has; see KeepFirstErrors.
  int64_t errors_left_out = 0;
  uint64_t source_bytes = 0;  ///< Bytes read of the source, as far as the recipe counts them.
  StoredResult stored;        ///< Set by the engine.
};

/// How many errors are kept where all of them stand elsewhere as well.
inline constexpr size_t kErrorsKept = 100;

/// Keeps the first kErrorsKept errors, failures before exclusions, and counts the others. For
/// results whose report lists them all, and for the record of a stored result.
void KeepFirstErrors(std::vector<ErrorRecord>& errors, int64_t& left_out);

/// Whether a part is one of a report.
bool HasReport(const ChunkResult& result);

/// What a record keeps of a result that is stored: counts, tallies, and the first errors, as many
/// as fit.
ChunkResult Shortened(const ChunkResult& result);

std::string ToJson(const ChunkResult& result);
Result<ChunkResult> ChunkResultFromJson(std::string_view json);

}  // namespace spillway::engine
