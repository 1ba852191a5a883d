#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "source/lake/lake.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// One change of the lake, all of it or nothing.
struct Commit {
  std::string batch_id;  ///< Of an ingest; empty for compaction. A batch id commits at most once.
  std::vector<DataFile> added;
  std::vector<DataFile>
      removed;  ///< Their objects stay for readers of older snapshots until Vacuum.
  Timestamp at;
};

/// The commit log (the idea is Delta Lake's). Thread-safe; any number of processes may commit.
class CommitLog {
 public:
  CommitLog(storage::ObjectStore& store, Clock& clock) : store_(store), clock_(clock) {}

  /// kNotFound names the organisation and the nearest known one. Log tail records are replayed over
  /// the last checkpoint; only the organisation's shard of it is read.
  Result<Snapshot> Read(std::string_view organisation) const;

  /// Every organisation that has rows, sorted.
  Result<std::vector<std::string>> Organisations() const;

  Result<bool> HasBatch(std::string_view batch_id) const;

  /// Makes the commit visible; returns its version. kAlreadyExists when the batch id was committed
  /// before (nothing changes); kConflict when a removed file is no longer in the lake. Writes a
  /// checkpoint every 64 versions.
  Result<int64_t> Append(Commit commit);

  /// Removes objects that no snapshot newer than `older_than` names: files taken out by compaction,
  /// and those that a crashed writer left. Returns their number and bytes.
  struct Vacuumed {
    int64_t objects = 0;
    uint64_t bytes = 0;
  };
  Result<Vacuumed> Vacuum(Timestamp older_than);

 private:
  storage::ObjectStore& store_;
  Clock& clock_;
};

}  // namespace spillway::lake
