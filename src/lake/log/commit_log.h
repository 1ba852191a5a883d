#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "lake/lake.h"
#include "lake/log/checkpoint.h"
#include "lake/log/commit.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// What a lake holds of an organisation.
struct Holding {
  std::string organisation;
  int32_t first_day = 0;  ///< Days since 1970-01-01, UTC.
  int32_t last_day = 0;   ///< Inclusive.
  int64_t rows = 0;
  int64_t files = 0;
  uint64_t bytes = 0;  ///< Of the files.
};

/// What a lake holds at one version of its log.
struct Inventory {
  int64_t version = 0;
  std::vector<Holding> holdings;  ///< By organisation; none without rows.
};

/// The commit log (the idea is Delta Lake's). Thread-safe; any number of processes may commit.
///
///   _log/<20-digit version>.json    one commit an object, created only if absent and never
///                                   removed, so that a version is taken once and for all
///   _log/checkpoint/…               what the log says up to a version; see checkpoint.h
///
/// What was read is kept between calls; a call reads only the records that came since. Every call is
/// kCorrupt where the record of a version is missing and a later one is there.
class CommitLog {
 public:
  CommitLog(storage::ObjectStore& store, Clock& clock) : store_(store), clock_(clock) {}

  /// kNotFound names the organisation and the known one that was most likely meant; retryable where
  /// the lake is empty, since the disk that it is on may not be mounted yet. The records
  /// after the last checkpoint are replayed over it; only the organisation's shard of it is read.
  Result<Snapshot> Read(std::string_view organisation) const;

  /// Every organisation that has rows, sorted.
  Result<std::vector<std::string>> Organisations() const;

  /// Of that organisation alone, or of all. Opens no data file, and has the files of one organisation
  /// in memory at a time. kNotFound as Read has it, where the organisation is named.
  Result<Inventory> TakeInventory(const std::optional<std::string>& organisation) const;

  Result<bool> HasBatch(std::string_view batch_id) const;

  /// The newest version; 0 for a lake without commits.
  Result<int64_t> Version() const;

  /// Calls `visit` with every commit and its version, oldest first.
  Result<> History(const std::function<Result<>(int64_t, const Commit&)>& visit) const;

  /// Makes the commit visible; returns its version. Sets its `at`, which never goes back. Nothing
  /// has changed after kAlreadyExists (the batch id was committed before) and kConflict (a removed
  /// file is no longer in the lake, or the version is not `expected_version`). After any other
  /// error the commit may or may not be visible, since the store did not say; its objects must be
  /// left to Vacuum. Writes a checkpoint every 64 versions, or when the records since the last one
  /// are large.
  Result<int64_t> Append(Commit commit, std::optional<int64_t> expected_version = std::nullopt);

  /// Removes objects that no snapshot newer than `older_than` names: files taken out by compaction,
  /// files that a crashed writer left, and replaced checkpoints. What the snapshot of version
  /// `oldest_read`, or a later one, names is not removed either. Returns the number and bytes of what
  /// is removed. `older_than` must leave time for the longest ingest: a writer that began before it
  /// would lose its files. Files that Spillway did not write are never removed: an adopted one may
  /// have columns that compaction did not copy. kNotFound, with nothing removed, when there are files
  /// that could be removed but no log that says which.
  struct Vacuumed {
    int64_t objects = 0;
    uint64_t bytes = 0;
  };
  Result<Vacuumed> Vacuum(Timestamp older_than, std::optional<int64_t> oldest_read = std::nullopt);

 private:
  /// What is known of the log: a checkpoint, and every commit since.
  struct Tail {
    std::optional<Checkpoint> base;
    std::vector<CommitRecord> records;
    uint64_t bytes = 0;

    int64_t base_version() const { return base ? base->version : 0; }
    int64_t version() const { return base_version() + static_cast<int64_t>(records.size()); }
  };

  Result<Tail> Current() const;
  Result<std::map<std::string, DataFile>> FilesAt(const Tail& tail,
                                                  std::string_view organisation) const;
  Result<Snapshot> ReadOnce(std::string_view organisation) const;
  Result<Inventory> TakeInventoryOnce(const std::optional<std::string>& organisation) const;
  Result<bool> Holds(const Tail& tail, std::string_view batch_id) const;
  Result<> CheckRemoved(const Tail& tail, const Commit& commit) const;
  Result<bool> TryAppend(int64_t version, Commit& commit);
  void Forget() const;

  storage::ObjectStore& store_;
  Clock& clock_;
  mutable std::mutex mutex_;
  mutable Tail known_;  ///< Guarded by mutex_.
  mutable bool base_is_known_ = false;
  mutable bool is_whole_ = false;  ///< No version was missing when the end was first seen.
};

}  // namespace spillway::lake
