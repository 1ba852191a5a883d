#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "lake/lake.h"

namespace spillway::lake {

/// One change of the lake, all of it or nothing.
struct Commit {
  std::string batch_id;  ///< Of an ingest; empty for compaction. A batch id commits at most once.
  std::vector<DataFile> added;
  std::vector<DataFile>
      removed;        ///< Their objects stay for readers of older snapshots until Vacuum.
  int64_t lines = 0;  ///< Read by the ingest; rows are those of `added`.
  int64_t rejected = 0;
  int64_t empty_lines = 0;
  Timestamp at;
};

/// A commit as the log holds it. Shared, because it never changes.
struct CommitRecord {
  std::shared_ptr<const Commit> commit;
  uint64_t bytes = 0;  ///< Of its object.
};

/// What the keys of records begin with, and nothing else does.
inline constexpr std::string_view kCommitPrefix = "_log/0";
/// Key of a version's record: `_log/<20-digit version>.json`.
std::string CommitKey(int64_t version);

/// kInvalidArgument when a name in it is not UTF-8.
Result<std::string> CommitToJson(int64_t version, const Commit& commit);

/// kCorrupt when it is no commit, kUnsupported when a newer Spillway wrote it.
Result<Commit> CommitFromJson(std::string_view json);

/// A list of files, as a checkpoint's shard holds it.
Result<std::string> FilesToJson(const std::vector<DataFile>& files);
Result<std::vector<DataFile>> FilesFromJson(std::string_view json);

}  // namespace spillway::lake
