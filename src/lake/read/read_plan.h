#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "lake/lake.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// Some row groups of one file, with what the log says of it.
struct Slice {
  std::string key;
  uint64_t file_bytes = 0;
  int32_t first_row_group = 0;
  int32_t row_groups = 0;
  int64_t rows = 0;  ///< In those row groups, before the time range is applied.
  Timestamp min_time;
  Timestamp max_time;  ///< Inclusive.
  bool operator==(const Slice&) const = default;
};

/// A piece of an export that one worker reads: the rows of `range` in these slices, ordered by time
/// (ties: by order of slices, then row). Of these, the first `skip` rows are skipped and the next
/// `rows` are taken. Serialises to JSON and back for the chunk record.
struct ReadUnit {
  TimeRange range;
  std::vector<Slice> slices;  ///< More than one only where files overlap in time or are small.
  int64_t skip = 0;
  int64_t rows = 0;  ///< Exactly: counted when planned. Never 0.
  bool operator==(const ReadUnit&) const = default;
};

/// How units are cut.
struct CutOptions {
  /// Target of rows a unit. A unit has more only when a single row group does, or when that many
  /// rows of overlapping files share an instant.
  int64_t rows_max = 131072;
  /// When positive, units also end at exact multiples of this many rows (counted from the start of
  /// each day with `daily_in_zone`).
  int64_t rows_per_file = 0;
  /// When set, units end at midnight of this IANA zone as well (one zip member a day).
  std::optional<std::string> daily_in_zone;
};

/// What an export will read, and what it will not.
struct ReadPlan {
  int64_t version = 0;
  std::vector<ReadUnit> units;  ///< In order of time.
  int64_t rows = 0;             ///< Exactly; the sum over units.
  int64_t partitions = 0, partitions_pruned = 0;
  int64_t files = 0, files_pruned = 0;
  int64_t row_groups = 0, row_groups_pruned = 0;
  uint64_t bytes = 0, bytes_pruned = 0;  ///< Compressed Parquet bytes of those row groups.
};

std::string ToJson(const ReadUnit& unit);
Result<ReadUnit> ReadUnitFromJson(std::string_view json);

/// Plans a read. Row groups that lie across an edge of the range or a midnight, or overlap more
/// others than fit a unit, are counted exactly by reading their time column; all else comes from
/// the log. An empty range plans nothing. kInvalidArgument for a reversed one or an unknown zone,
/// kCancelled after `stop`, and Scan's errors for a file that does not hold what the log says.
Result<ReadPlan> PlanRead(storage::ObjectStore& store, const LakeSchema& schema,
                          const Snapshot& snapshot, TimeRange range, const CutOptions& options,
                          std::stop_token stop);

}  // namespace spillway::lake
