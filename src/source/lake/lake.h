#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/clock.h"
#include "base/error.h"
#include "storage/object_store.h"

/// A lake: messages in Parquet, partitioned by organisation and UTC day, with a commit log that makes
/// every change visible at once and whole.
///
///   org=<escaped organisation>/day=2025-01-31/<name>.parquet    rows sorted by time
///   _log/<20-digit version>.json                                one commit a file, create-if-absent
///
/// Readers take a snapshot (a version) and are disturbed by nothing that is committed later.
namespace spillway::lake {

/// The columns of a lake's messages, and which of them say organisation and time.
struct LakeSchema {
  std::shared_ptr<arrow::Schema> columns;  ///< Without the organisation, which is the partition.
  std::string organisation_field;          ///< Its name in ingested messages.
  std::string time_column;                 ///< timestamp[us, UTC], never null.
};

/// A half-open run of instants.
struct TimeRange {
  Timestamp begin;
  Timestamp end;
  bool operator==(const TimeRange&) const = default;
};

/// What the log knows of a row group: enough to skip it without opening its file.
struct RowGroup {
  int64_t rows = 0;
  uint64_t bytes = 0;  ///< Compressed.
  Timestamp min_time;
  Timestamp max_time;  ///< Inclusive.
};

/// One Parquet file of the lake. Rows are sorted by time.
struct DataFile {
  std::string key;  ///< In the lake's object store.
  std::string organisation;
  int32_t day = 0;  ///< Days since 1970-01-01, UTC.
  uint64_t bytes = 0;
  std::vector<RowGroup> row_groups;

  int64_t rows() const;
  Timestamp min_time() const;
  Timestamp max_time() const;
};

/// A consistent view: the files of one organisation at one version of the log.
struct Snapshot {
  int64_t version = 0;
  std::vector<DataFile> files;  ///< By day, then least time, then key.
};

/// One change of the lake, all of it or nothing.
struct Commit {
  std::string batch_id;  ///< Of an ingest; empty for compaction. A batch id commits at most once.
  std::vector<DataFile> added;
  std::vector<DataFile> removed;  ///< Their objects stay for readers of older snapshots until Vacuum.
  Timestamp at;
};

/// The commit log (the idea is Delta Lake's). Thread-safe; any number of processes may commit.
class CommitLog {
 public:
  CommitLog(storage::ObjectStore& store, Clock& clock) : store_(store), clock_(clock) {}

  /// kNotFound names the organisation and the nearest known one. Log tail records are replayed over the
  /// last checkpoint; only the organisation's shard of it is read.
  Result<Snapshot> Read(std::string_view organisation) const;

  /// Every organisation that has rows, sorted.
  Result<std::vector<std::string>> Organisations() const;

  Result<bool> HasBatch(std::string_view batch_id) const;

  /// Makes the commit visible; returns its version. kAlreadyExists when the batch id was committed
  /// before (nothing changes); kConflict when a removed file is no longer in the lake. Writes a
  /// checkpoint every 64 versions.
  Result<int64_t> Append(Commit commit);

  /// Removes objects that no snapshot newer than `older_than` names: files taken out by compaction, and
  /// those that a crashed writer left. Returns their number and bytes.
  struct Vacuumed {
    int64_t objects = 0;
    uint64_t bytes = 0;
  };
  Result<Vacuumed> Vacuum(Timestamp older_than);

 private:
  storage::ObjectStore& store_;
  Clock& clock_;
};

/// Some row groups of one file.
struct Slice {
  std::string key;
  int32_t first_row_group = 0;
  int32_t row_groups = 0;
  int64_t rows = 0;  ///< In those row groups, before the time range is applied.
  bool operator==(const Slice&) const = default;
};

/// A piece of an export that one worker reads: the rows of `range` in these slices, ordered by time
/// (ties: by order of slices, then row). From that order `skip` rows are passed over and `rows` taken.
/// Serialises to JSON and back for the chunk record.
struct ReadUnit {
  TimeRange range;
  std::vector<Slice> slices;  ///< More than one only where files overlap in time or are small.
  int64_t skip = 0;
  int64_t rows = 0;           ///< Exactly: counted when planned.
  bool operator==(const ReadUnit&) const = default;
};

/// How units are cut.
struct CutOptions {
  int64_t rows_max = 131072;     ///< Target of rows a unit; a unit has more only inside one row group or overlap.
  int64_t rows_per_file = 0;     ///< When positive, units also end at exact multiples of this many rows.
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

/// Plans a read. Row groups that lie across an edge of the range, or overlap others, are counted
/// exactly by reading their time column; all else comes from the log.
Result<ReadPlan> PlanRead(storage::ObjectStore& store, const LakeSchema& schema, const Snapshot& snapshot,
                          TimeRange range, const CutOptions& options, std::stop_token stop);

/// Which columns a reader hands out, in which order, under which names.
struct Projection {
  struct Column {
    std::string source;
    std::string name;
  };
  std::vector<Column> columns;
};

/// The schema of what Scan hands out. kInvalidArgument names an unknown column and the nearest known.
/// Low-cardinality strings may come dictionary-encoded (int32 indices).
Result<std::shared_ptr<arrow::Schema>> ProjectedSchema(const LakeSchema& schema, const Projection& projection);

/// Reads a unit in order, handing out batches of at most 16,384 rows until done, `stop` (kCancelled), or an
/// error of `consume`. kCorrupt names the file that is cut short, changed or of another schema, or a
/// count that differs from the plan. Memory: a row group of compressed pages and a batch, for each slice that overlaps.
Result<> Scan(storage::ObjectStore& store, const LakeSchema& schema, const ReadUnit& unit,
              const Projection& projection, std::stop_token stop,
              const std::function<Result<>(const arrow::RecordBatch&)>& consume);

}  // namespace spillway::lake
