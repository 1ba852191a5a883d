#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "job/job.h"
#include "result/chunk_result.h"
#include "storage/object_store.h"

namespace spillway {
class SigningKey;
class VerifyingKey;
}  // namespace spillway

namespace spillway::engine {

/// A run of a published file that one chunk wrote.
struct ManifestPart {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  int64_t rows = 0;
  std::string sha256;  ///< Hexadecimal.
};

/// A published file. Its parts cover it, one after the other.
struct ManifestFile {
  std::string name;  ///< Relative to the manifest's directory, or above it: see levels_up.
  std::string item;  ///< Of the job's counts, where it counts items; else empty.
  uint64_t bytes = 0;
  int64_t rows = 0;
  std::vector<ManifestPart> parts;
};

/// E9. What a delivered export consists of. Published last: where it stands, the export is whole.
/// Its readers are those who receive the export, so nothing in it is of the operator's machines or
/// people; who asked for the job, where its files went and why something failed stands in the job's
/// record.
struct Manifest {
  static constexpr int kVersion = 1;
  static constexpr std::string_view kName = "manifest.json";
  static constexpr std::string_view kSignatureName = "manifest.json.sig";

  std::string job_id;
  std::string export_name;
  std::string recipe;
  std::string tenant;
  std::string parameters;  ///< JSON.
  std::string source;      ///< JSON: snapshot and plan, as the recipe recorded them.
  Timestamp created_at;
  Timestamp finished_at;
  /// Of rows; or of items, where every file says which it belongs to.
  Counts counts;
  int levels_up = 0;  ///< From the manifest's directory to the one where the files' names start.
  /// Where the files' names start, as a directory or URL, if their place is not the manifest's.
  std::string files_at;
  std::vector<ManifestFile> files;
  /// What lists the outcome of each object, always beside the manifest. Their rows and bytes are
  /// none of the counts'.
  std::vector<ManifestFile> reports;
  Tallies tallies;                  ///< What else the recipe has counted.
  std::vector<ErrorRecord> errors;  ///< What was excluded or failed, and why.
  int64_t errors_left_out = 0;      ///< How many more there are, all of which the reports list.
};

/// Indented JSON with a line break at the end.
std::string ToJson(const Manifest& manifest);

/// kCorrupt says what is missing or wrong. Any bytes may be given. Accepts what reconciles only:
/// counts against each other, parts against their file, files against the counts.
Result<Manifest> ManifestFromJson(std::string_view json);

/// What verification found.
struct Verification {
  Manifest manifest;
  std::string key_id;     ///< Of the key that the signature says it is by; empty: not signed.
  bool verified = false;  ///< The signature is the given key's, over these bytes.
  std::vector<std::string> problems;  ///< One line each; empty: the export is whole and unchanged.
};

using VerifyProgress = std::function<void(uint64_t bytes, uint64_t total)>;

/// The manifest that a directory of a store has.
Result<Manifest> ReadManifest(storage::ObjectStore& store, std::string_view directory);

/// The directory where the names of a manifest's files start, in the store that has them;
/// kInvalidArgument where there are not so many levels.
Result<std::string> BaseOf(const Manifest& manifest, std::string_view directory);

/// Checks a delivered export without anything but its files: signature (with `key`, where
/// given; a signature is then required), sizes and every digest. Errors are those of reading;
/// `progress` hears of bytes just checked, and of how many there are. `files` is the store of the
/// files of a manifest that has files_at; kInvalidArgument without it.
Result<Verification> Verify(storage::ObjectStore& store, std::string_view directory,
                            const VerifyingKey* key, const VerifyProgress& progress,
                            storage::ObjectStore* files = nullptr);

}  // namespace spillway::engine
