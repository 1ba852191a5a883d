#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "lake/log/commit_log.h"
#include "lake/log/data_file_name.h"
#include "storage/objects.h"

namespace spillway::lake {
namespace {

/// Which objects the history of the lake speaks of.
struct Named {
  std::set<std::string> kept;     ///< In a snapshot newer than `older_than`, or that is read.
  std::set<std::string> leaving;  ///< Only in others, and written by Spillway.
};

Result<Named> NamedObjects(const CommitLog& log, Timestamp older_than, int64_t oldest_read) {
  Named named;
  TRY(log.History([&](int64_t version, const Commit& commit) -> Result<> {
    for (const DataFile& file : commit.added) {
      named.kept.insert(file.key);
      named.leaving.erase(file.key);
    }
    if (commit.at >= older_than || version > oldest_read) return {};
    for (const DataFile& file : commit.removed) {
      named.kept.erase(file.key);
      if (IsDataFileName(file.key)) named.leaving.insert(file.key);
    }
    return {};
  }));
  return named;
}

}  // namespace

Result<CommitLog::Vacuumed> CommitLog::Vacuum(Timestamp older_than,
                                              std::optional<int64_t> oldest_read) {
  Vacuumed vacuumed;
  const auto remove = [&](const std::string& key) -> Result<> {
    const uint64_t bytes = TRY(store_.Remove(key));
    if (bytes > 0) ++vacuumed.objects;
    vacuumed.bytes += bytes;
    return {};
  };

  // Objects first, then history: a file that a writer publishes and commits in between is seen as
  // committed.
  std::set<std::string> unclaimed;
  TRY(storage::ForEachObject(store_, "org=", [&](const storage::ObjectInfo& object) -> Result<> {
    if (object.modified < older_than && IsDataFileName(object.key)) unclaimed.insert(object.key);
    return {};
  }));
  const Named named = TRY(
      NamedObjects(*this, older_than, oldest_read.value_or(std::numeric_limits<int64_t>::max())));
  if (named.kept.empty() && named.leaving.empty() && !unclaimed.empty()) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("the lake's log is empty, so nothing says what of {} files is needed: "
                            "restore _log from a backup, or remove them yourself",
                            unclaimed.size()));
  }
  for (const std::string& key : named.leaving) TRY(remove(key));
  for (const std::string& key : unclaimed) {
    if (!named.kept.contains(key) && !named.leaving.contains(key)) TRY(remove(key));
  }

  std::vector<storage::ObjectInfo> roots;  // the newest first
  TRY(storage::ForEachObject(store_, kCheckpointPrefix, [&](const storage::ObjectInfo& root) {
    roots.push_back(root);
    return Result<>();
  }));
  if (roots.empty() || roots.front().modified >= older_than) return vacuumed;
  const auto newest = TRY(ReadNewestCheckpoint(store_));
  std::set<std::string> shards;
  for (const auto& [organisation, shard] : newest->shards) shards.insert(shard);
  for (size_t i = 1; i < roots.size(); ++i) TRY(remove(roots[i].key));
  TRY(storage::ForEachObject(store_, kShardPrefix,
                             [&](const storage::ObjectInfo& object) -> Result<> {
                               if (object.modified < older_than && !shards.contains(object.key))
                                 TRY(remove(object.key));
                               return {};
                             }));
  return vacuumed;
}

}  // namespace spillway::lake
