#include "lake/log/commit_log.h"

#include <algorithm>
#include <ranges>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/nearest_name.h"
#include "storage/maintenance.h"
#include "storage/objects.h"

namespace spillway::lake {
namespace {

constexpr size_t kCheckpointRecords = 64;
constexpr uint64_t kCheckpointBytes = 1 << 20;
/// A process that only reads looks for a newer checkpoint after this many records.
constexpr size_t kTailRecordsMax = 2 * kCheckpointRecords;

/// The record of a version, or none when that version is still free.
Result<std::optional<CommitRecord>> ReadRecord(storage::ObjectStore& store, int64_t version) {
  const std::string key = CommitKey(version);
  auto text = storage::ReadWhole(store, key);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return std::nullopt;
    return std::unexpected(std::move(text).error());
  }
  auto commit = CommitFromJson(*text);
  if (!commit) return std::unexpected(std::move(commit).error().Within(key));
  return CommitRecord{std::make_shared<const Commit>(*std::move(commit)), text->size()};
}

std::unexpected<Error> Missing(int64_t version) {
  return Fail(ErrorCode::kCorrupt,
              fmt::format("{} is missing, but the lake's log goes on after it: put it back, or "
                          "restore the lake as a whole; without it messages would be missing",
                          CommitKey(version)));
}

/// Whether there is a record of a later version.
Result<bool> GoesOnAfter(storage::ObjectStore& store, int64_t version) {
  return !TRY(store.List(kCommitPrefix, CommitKey(version), 1)).empty();
}

std::unexpected<Error> UnknownOrganisation(std::string_view organisation,
                                           const std::vector<std::string>& known) {
  std::string message = fmt::format("the lake has no organisation {:?}", organisation);
  if (known.empty()) {
    return FailTransient(ErrorCode::kNotFound,
                         message +
                             ": it is empty; ingest something first, or mount the disk that it is "
                             "on");
  }
  if (const auto nearest = NearestName(organisation, known)) {
    message += fmt::format("; did you mean {:?}?", *nearest);
  } else {
    message += fmt::format(" among its {}", known.size());
  }
  return Fail(ErrorCode::kNotFound, std::move(message));
}

std::vector<DataFile> InOrder(std::map<std::string, DataFile> files) {
  std::vector<DataFile> sorted;
  sorted.reserve(files.size());
  for (DataFile& file : files | std::views::values) sorted.push_back(std::move(file));
  std::ranges::sort(sorted, [](const DataFile& a, const DataFile& b) {
    return std::tuple(a.day, a.min_time(), std::string_view(a.key)) <
           std::tuple(b.day, b.min_time(), std::string_view(b.key));
  });
  return sorted;
}

}  // namespace

Result<CommitLog::Tail> CommitLog::Current() const {
  const std::lock_guard lock(mutex_);
  if (!base_is_known_ || known_.records.size() >= kTailRecordsMax) {
    auto newest = TRY(ReadNewestCheckpoint(store_));
    if (!base_is_known_ || (newest && newest->version > known_.base_version())) {
      known_ = Tail{.base = std::move(newest)};
    }
    base_is_known_ = true;
  }
  while (true) {
    const int64_t next = known_.version() + 1;
    auto record = TRY(ReadRecord(store_, next));
    if (!record && !is_whole_) {
      // Others may have committed meanwhile: a record that is still not there is lost.
      const bool goes_on = TRY(GoesOnAfter(store_, next));
      if (goes_on) record = TRY(ReadRecord(store_, next));
      if (goes_on && !record) return Missing(next);
      is_whole_ = !goes_on;
    }
    if (!record) return known_;
    known_.bytes += record->bytes;
    known_.records.push_back(*std::move(record));
  }
}

void CommitLog::Forget() const {
  const std::lock_guard lock(mutex_);
  known_ = {};
  base_is_known_ = is_whole_ = false;
}

Result<std::map<std::string, DataFile>> CommitLog::FilesAt(const Tail& tail,
                                                           std::string_view organisation) const {
  std::map<std::string, DataFile> files;
  if (tail.base) {
    for (DataFile& file : TRY(ReadShard(store_, *tail.base, organisation))) {
      files.emplace(file.key, std::move(file));
    }
  }
  for (const CommitRecord& record : tail.records) Replay(*record.commit, organisation, files);
  return files;
}

Result<Snapshot> CommitLog::ReadOnce(std::string_view organisation) const {
  const Tail tail = TRY(Current());
  std::map<std::string, DataFile> files = TRY(FilesAt(tail, organisation));
  return Snapshot{.version = tail.version(), .files = InOrder(std::move(files))};
}

Result<Inventory> CommitLog::TakeInventoryOnce(
    const std::optional<std::string>& organisation) const {
  const Tail tail = TRY(Current());
  std::set<std::string> names;
  if (organisation) {
    names.insert(*organisation);
  } else {
    if (tail.base) {
      for (const auto& name : tail.base->shards | std::views::keys) names.insert(name);
    }
    for (const CommitRecord& record : tail.records) {
      for (const DataFile& file : record.commit->added) names.insert(file.organisation);
    }
  }
  Inventory inventory{.version = tail.version()};
  for (const std::string& name : names) {
    const std::map<std::string, DataFile> files = TRY(FilesAt(tail, name));
    if (files.empty()) continue;
    const int32_t day = files.begin()->second.day;
    Holding holding{.organisation = name, .first_day = day, .last_day = day};
    for (const DataFile& file : files | std::views::values) {
      holding.first_day = std::min(holding.first_day, file.day);
      holding.last_day = std::max(holding.last_day, file.day);
      holding.rows += file.rows();
      holding.bytes += file.bytes;
    }
    holding.files = std::ssize(files);
    inventory.holdings.push_back(std::move(holding));
  }
  return inventory;
}

Result<Inventory> CommitLog::TakeInventory(const std::optional<std::string>& organisation) const {
  auto inventory = TakeInventoryOnce(organisation);
  if (!inventory && inventory.error().code == ErrorCode::kNotFound) {
    Forget();  // As Read does.
    inventory = TakeInventoryOnce(organisation);
  }
  if (inventory && organisation && inventory->holdings.empty())
    return UnknownOrganisation(*organisation, TRY(Organisations()));
  return inventory;
}

Result<Snapshot> CommitLog::Read(std::string_view organisation) const {
  auto snapshot = ReadOnce(organisation);
  if (!snapshot && snapshot.error().code == ErrorCode::kNotFound) {
    // The shard was removed with an old checkpoint; there is a newer one.
    Forget();
    snapshot = ReadOnce(organisation);
  }
  if (snapshot && snapshot->files.empty()) {
    return UnknownOrganisation(organisation, TRY(Organisations()));
  }
  return snapshot;
}

Result<std::vector<std::string>> CommitLog::Organisations() const {
  const Tail tail = TRY(Current());
  std::map<std::string, std::map<std::string, DataFile>> changed;
  for (const CommitRecord& record : tail.records) {
    for (const DataFile& file : record.commit->added) changed[file.organisation];
    for (const DataFile& file : record.commit->removed) changed[file.organisation];
  }
  std::set<std::string> names;
  if (tail.base) {
    for (const auto& name : tail.base->shards | std::views::keys) names.insert(name);
  }
  for (const auto& name : changed | std::views::keys) {
    const bool removes = std::ranges::any_of(tail.records, [&](const CommitRecord& record) {
      return std::ranges::any_of(record.commit->removed,
                                 [&](const DataFile& file) { return file.organisation == name; });
    });
    if (!removes || !TRY(ReadOnce(name)).files.empty()) {
      names.insert(name);
    } else {
      names.erase(name);
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<bool> CommitLog::Holds(const Tail& tail, std::string_view batch_id) const {
  if (batch_id.empty()) return false;
  for (const CommitRecord& record : tail.records) {
    if (record.commit->batch_id == batch_id) return true;
  }
  if (!tail.base) return false;
  return HasBatchMarker(store_, batch_id);
}

Result<bool> CommitLog::HasBatch(std::string_view batch_id) const {
  return Holds(TRY(Current()), batch_id);
}

Result<int64_t> CommitLog::Version() const { return TRY(Current()).version(); }

Result<> CommitLog::History(const std::function<Result<>(int64_t, const Commit&)>& visit) const {
  const int64_t newest = TRY(Version());
  for (int64_t version = 1;; ++version) {
    const auto record = TRY(ReadRecord(store_, version));
    if (!record && version <= newest) return Missing(version);
    if (!record) return {};
    TRY(visit(version, *record->commit));
  }
}

Result<> CommitLog::CheckRemoved(const Tail& tail, const Commit& commit) const {
  std::map<std::string, std::map<std::string, DataFile>> organisations;
  for (const DataFile& file : commit.removed) organisations[file.organisation];
  for (auto& [organisation, files] : organisations) {
    if (tail.base) {
      auto shard = ReadShard(store_, *tail.base, organisation);
      if (!shard && shard.error().code == ErrorCode::kNotFound) {
        Forget();
        return Fail(ErrorCode::kConflict, "the log moved on to a newer checkpoint");
      }
      for (DataFile& file : TRY(std::move(shard))) files.emplace(file.key, std::move(file));
    }
    for (const CommitRecord& record : tail.records) Replay(*record.commit, organisation, files);
  }
  for (const DataFile& file : commit.removed) {
    if (!organisations[file.organisation].contains(file.key)) {
      return Fail(ErrorCode::kConflict, file.key + " is no longer in the lake");
    }
  }
  return {};
}

Result<bool> CommitLog::TryAppend(int64_t version, Commit& commit) {
  const std::string text = TRY(CommitToJson(version, commit));
  const std::string key = CommitKey(version);
  auto written = storage::PutWhole(store_, key, text, storage::Overwrite::kNever);
  if (written) return true;
  if (written.error().code == ErrorCode::kAlreadyExists) return false;
  // The store may have published the record and lost the answer.
  const auto there = storage::ReadWhole(store_, key);
  if (there && *there == text) return true;
  return std::unexpected(std::move(written).error());
}

Result<int64_t> CommitLog::Append(Commit commit, std::optional<int64_t> expected_version) {
  if (auto* const maintenance = store_.maintenance()) TRY(maintenance->ProveCreateOnce());
  for (int64_t taken = 0;;) {
    const Tail tail = TRY(Current());
    if (tail.version() < taken) {
      return FailTransient(
          ErrorCode::kUnavailable,
          CommitKey(taken) + ": the store says that it exists, but does not have it");
    }
    if (TRY(Holds(tail, commit.batch_id))) {
      return Fail(ErrorCode::kAlreadyExists,
                  fmt::format("the batch {:?} is in the lake already", commit.batch_id));
    }
    if (expected_version && *expected_version != tail.version()) {
      return Fail(ErrorCode::kConflict, fmt::format("the lake is at version {}, not at {}",
                                                    tail.version(), *expected_version));
    }
    TRY(CheckRemoved(tail, commit));
    const Timestamp last = !tail.records.empty() ? tail.records.back().commit->at
                           : tail.base           ? tail.base->at
                                                 : Timestamp::min();
    commit.at = std::max(clock_.Now(), last);
    const int64_t version = tail.version() + 1;
    if (!TRY(TryAppend(version, commit))) {
      taken = version;
      continue;
    }

    // The commit is done, whether or not the checkpoint succeeds. The next Append tries again.
    const auto now = Current();
    if (now && (now->records.size() >= kCheckpointRecords || now->bytes >= kCheckpointBytes) &&
        WriteCheckpoint(store_, now->base, now->records)) {
      Forget();
    }
    return version;
  }
}

}  // namespace spillway::lake
