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

/// The commit log (the idea is Delta Lake's). Thread-safe; any number of processes may commit.
///
///   _log/<20-digit version>.json     one commit an object, create-if-absent, never removed: a
///   version
///                                    that was taken once stays taken
///   _log/checkpoint/…                what the log says up to a version; see checkpoint.h
///
/// What was read is kept between calls; a call reads only the records that came since.
class CommitLog {
 public:
  CommitLog(storage::ObjectStore& store, Clock& clock) : store_(store), clock_(clock) {}

  /// kNotFound names the organisation and a known one that may be meant. Log tail records are
  /// replayed over the last checkpoint; only the organisation's shard of it is read.
  Result<Snapshot> Read(std::string_view organisation) const;

  /// Every organisation that has rows, sorted.
  Result<std::vector<std::string>> Organisations() const;

  Result<bool> HasBatch(std::string_view batch_id) const;

  /// The newest version; 0 for a lake without commits.
  Result<int64_t> Version() const;

  /// Calls `visit` with every commit and its version, oldest first.
  Result<> History(const std::function<Result<>(int64_t, const Commit&)>& visit) const;

  /// Makes the commit visible; returns its version. Sets its `at`, which never goes back. Nothing
  /// has changed after kAlreadyExists (the batch id was committed before) and kConflict (a removed
  /// file is no longer in the lake, or the version is not `expected_version`). After any other
  /// error the commit may or may not be visible: the store did not say; its objects must stay for
  /// Vacuum. Writes a checkpoint every 64 versions, or when the records since the last one are
  /// large.
  Result<int64_t> Append(Commit commit, std::optional<int64_t> expected_version = std::nullopt);

  /// Removes objects that no snapshot newer than `older_than` names: files taken out by compaction,
  /// those that a crashed writer left, checkpoints that newer ones replaced. Nor does it remove
  /// what the snapshot of version `oldest_read`, or a later one, names. Returns their number and
  /// bytes. A writer that has worked since before `older_than` would lose its files: leave it the
  /// time of the longest ingest. Files that Spillway did not write are never touched: an adopted
  /// one may hold columns that compaction did not copy. kNotFound when there are files that could
  /// be removed, but no log that says which: then nothing is.
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
  Result<Snapshot> ReadOnce(std::string_view organisation) const;
  Result<bool> Holds(const Tail& tail, std::string_view batch_id) const;
  Result<> CheckRemoved(const Tail& tail, const Commit& commit) const;
  Result<bool> TryAppend(int64_t version, Commit& commit);
  void Forget() const;

  storage::ObjectStore& store_;
  Clock& clock_;
  mutable std::mutex mutex_;
  mutable Tail known_;  ///< Guarded by mutex_.
  mutable bool base_is_known_ = false;
};

}  // namespace spillway::lake
