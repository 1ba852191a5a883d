#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "lake/lake.h"
#include "lake/log/commit.h"
#include "storage/object_store.h"

/// What the log says up to a version, in objects that are small to read:
///
///   _log/shard/<20-digit version>/<escaped organisation>.json
///       The organisation's files. A shard is written only if they have changed since the last
///       checkpoint; otherwise the root names the older shard again.
///   _log/batches/<escaped batch id>
///       A marker for each batch up to that version.
///   _log/checkpoint/<20-digit countdown>.json
///       The root, written last: the shard of each organisation. The countdown is 10^19 - version,
///       so that a listing of one object finds the newest.
namespace spillway::lake {

inline constexpr std::string_view kCheckpointPrefix = "_log/checkpoint/";
inline constexpr std::string_view kShardPrefix = "_log/shard/";

/// The root of a checkpoint.
struct Checkpoint {
  int64_t version = 0;
  Timestamp at;                               ///< Of the commit of that version.
  std::map<std::string, std::string> shards;  ///< Organisation to key.
};

/// The newest one, or none.
Result<std::optional<Checkpoint>> ReadNewestCheckpoint(storage::ObjectStore& store);

/// The organisation's files at the checkpoint, none where it is not in it. kNotFound when a newer
/// checkpoint replaced it and Vacuum removed the shard: read the newest checkpoint then.
Result<std::vector<DataFile>> ReadShard(storage::ObjectStore& store, const Checkpoint& checkpoint,
                                        std::string_view organisation);

/// Writes the checkpoint of `base` and the records after it. Its content depends on nothing else,
/// so that several writers of the same checkpoint do no harm.
Result<> WriteCheckpoint(storage::ObjectStore& store, const std::optional<Checkpoint>& base,
                         std::span<const CommitRecord> records);

/// Whether the batch has a marker.
Result<bool> HasBatchMarker(storage::ObjectStore& store, std::string_view batch_id);

/// The change that `commit` makes to the organisation's files, which stay unsorted.
void Replay(const Commit& commit, std::string_view organisation,
            std::map<std::string, DataFile>& files);

}  // namespace spillway::lake
