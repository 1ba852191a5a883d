#include "lake/read/read_plan.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <arrow/api.h>
#include <date/date.h>
#include <fmt/format.h>

#include "base/time_zone.h"
#include "lake/compaction/cut_overlaps.h"
#include "lake/read/slice_reader.h"

namespace spillway::lake {
namespace {

/// A unit opens no more files than this, however small they are.
constexpr size_t kSlicesMax = 512;

int64_t Microseconds(Timestamp time) { return time.time_since_epoch().count(); }
Timestamp Instant(int64_t microseconds) {
  return Timestamp(std::chrono::microseconds(microseconds));
}

Slice SliceOf(const DataFile& file, int32_t row_group) {
  const RowGroup& group = file.row_groups[row_group];
  return {.key = file.key,
          .file_bytes = file.bytes,
          .first_row_group = row_group,
          .row_groups = 1,
          .rows = group.rows,
          .min_time = group.min_time,
          .max_time = group.max_time};
}

/// Reads the time columns of a snapshot's row groups.
class TimeReader {
 public:
  TimeReader(storage::ObjectStore& store, const LakeSchema& schema, const Snapshot& snapshot,
             std::stop_token stop)
      : store_(store),
        columns_(arrow::schema({schema.columns->GetFieldByName(schema.time_column)})),
        snapshot_(snapshot),
        stop_(std::move(stop)) {}

  Result<std::vector<int64_t>> Read(const RowGroupPart& part) {
    if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "planning was stopped");
    const Slice slice = SliceOf(snapshot_.files[part.file], part.row_group);
    auto times = ReadSlice(slice);
    if (!times) return std::unexpected(OfDataFile(slice.key, std::move(times).error()));
    return times;
  }

 private:
  Result<std::vector<int64_t>> ReadSlice(const Slice& slice) const {
    auto reader = TRY(SliceReader::Open(
        store_, slice, {slice.min_time, slice.max_time + std::chrono::microseconds(1)},
        {.schema = columns_}, *arrow::default_memory_pool(), stop_));
    std::vector<int64_t> times;
    while (const auto batch = TRY(reader->Next())) {
      times.insert(times.end(), reader->times(), reader->times() + batch->num_rows());
    }
    return times;
  }

  storage::ObjectStore& store_;
  const std::shared_ptr<arrow::Schema> columns_;
  const Snapshot& snapshot_;
  const std::stop_token stop_;
};

/// The days of a zone, or all of time as one day.
class Days {
 public:
  static Result<Days> In(const std::optional<std::string>& zone) {
    Days days;
    if (zone.has_value()) days.zone_ = TRY(FindTimeZone(*zone));
    return days;
  }

  /// The first midnight after `time`.
  int64_t EndOfDay(int64_t time) {
    if (!zone_) return INT64_MAX;
    if (begin_ <= time && time < end_) return end_;
    const Timestamp instant = Instant(time);
    auto day = date::floor<date::days>(zone_->LocalTimeAt(instant));
    do {
      day += date::days(1);
      end_ = Microseconds(zone_->FirstInstantOf(day));
    } while (end_ <= time);
    begin_ = time;
    return end_;
  }

 private:
  std::optional<TimeZone> zone_;
  int64_t begin_ = INT64_MAX;  ///< [begin_, end_) lies within one day.
  int64_t end_ = INT64_MIN;
};

/// The parts of the row groups inside the range, none of them across a midnight; sorted.
Result<std::vector<RowGroupPart>> PartsInRange(const Snapshot& snapshot, TimeRange range,
                                               Days& days, TimeReader& reader) {
  const int64_t begin = Microseconds(range.begin);
  const int64_t end = Microseconds(range.end);
  std::vector<RowGroupPart> parts;
  for (size_t f = 0; f < snapshot.files.size(); ++f) {
    const DataFile& file = snapshot.files[f];
    for (size_t g = 0; g < file.row_groups.size(); ++g) {
      const RowGroup& group = file.row_groups[g];
      RowGroupPart part = {.file = static_cast<int32_t>(f),
                           .row_group = static_cast<int32_t>(g),
                           .rows = group.rows,
                           .min_time = Microseconds(group.min_time),
                           .max_time = Microseconds(group.max_time)};
      if (part.rows == 0 || part.max_time < begin || part.min_time >= end) continue;
      if (part.min_time >= begin && part.max_time < end &&
          days.EndOfDay(part.min_time) > part.max_time) {
        parts.push_back(part);
        continue;
      }
      const auto times = TRY(reader.Read(part));
      auto from = std::ranges::lower_bound(times, begin);
      const auto last = std::ranges::lower_bound(times, end);
      while (from != last) {
        const auto to = std::lower_bound(from, last, days.EndOfDay(*from));
        part.rows = to - from;
        part.min_time = *from;
        part.max_time = *std::prev(to);
        parts.push_back(part);
        from = to;
      }
    }
  }
  std::ranges::sort(parts, {}, [](const RowGroupPart& part) {
    return std::tuple(part.min_time, part.file, part.row_group);
  });
  return parts;
}

/// Combines segments into units.
class Packer {
 public:
  Packer(const Snapshot& snapshot, const CutOptions& options, std::vector<ReadUnit>& units)
      : snapshot_(snapshot), options_(options), units_(units) {}

  void Add(const Segment& segment) {
    for (int64_t offset = 0; offset < segment.rows;) {
      int64_t rows = segment.rows - offset;
      if (options_.rows_per_file > 0) rows = std::min(rows, options_.rows_per_file - file_rows_);
      if (rows_ > 0 && (rows_ + rows > options_.rows_max ||
                        row_groups_.size() + segment.parts.size() > kSlicesMax)) {
        CloseUnit();
      }
      if (rows_ == 0) {
        skip_ = offset;
        range_.begin = Instant(segment.begin);
      }
      range_.end = Instant(segment.end);
      for (const RowGroupPart& part : segment.parts) row_groups_.emplace(part.file, part.row_group);
      rows_ += rows;
      file_rows_ += rows;
      offset += rows;
      if (file_rows_ == options_.rows_per_file) CloseFile();
    }
  }

  void CloseFile() {
    CloseUnit();
    file_rows_ = 0;
  }

 private:
  void CloseUnit() {
    if (rows_ == 0) return;
    ReadUnit unit = {.range = range_, .skip = skip_, .rows = std::exchange(rows_, 0)};
    for (auto before = row_groups_.end(); const auto& [file, row_group] : row_groups_) {
      Slice slice = SliceOf(snapshot_.files[file], row_group);
      if (before != row_groups_.end() && *before == std::pair(file, row_group - 1)) {
        Slice& last = unit.slices.back();
        ++last.row_groups;
        last.rows += slice.rows;
        last.max_time = std::max(last.max_time, slice.max_time);
      } else {
        unit.slices.push_back(std::move(slice));
      }
      before = row_groups_.find({file, row_group});
    }
    row_groups_.clear();
    units_.push_back(std::move(unit));
  }

  const Snapshot& snapshot_;
  const CutOptions& options_;
  std::vector<ReadUnit>& units_;
  std::set<std::pair<int32_t, int32_t>> row_groups_;  ///< Of the current unit: file, row group.
  TimeRange range_;
  int64_t skip_ = 0;
  int64_t rows_ = 0;
  int64_t file_rows_ = 0;  ///< Since the last exact multiple of rows_per_file.
};

/// Counts what is read of the snapshot, and what is not.
void CountWhatIsRead(const Snapshot& snapshot, const std::vector<RowGroupPart>& parts,
                     ReadPlan& plan) {
  std::vector<std::vector<bool>> read(snapshot.files.size());
  for (const RowGroupPart& part : parts) {
    auto& of_file = read[part.file];
    of_file.resize(snapshot.files[part.file].row_groups.size());
    of_file[part.row_group] = true;
  }
  std::set<int32_t> days, days_read;
  for (size_t f = 0; f < snapshot.files.size(); ++f) {
    const DataFile& file = snapshot.files[f];
    days.insert(file.day);
    if (!read[f].empty()) days_read.insert(file.day);
    ++(read[f].empty() ? plan.files_pruned : plan.files);
    for (size_t g = 0; g < file.row_groups.size(); ++g) {
      const bool is_read = !read[f].empty() && read[f][g];
      ++(is_read ? plan.row_groups : plan.row_groups_pruned);
      (is_read ? plan.bytes : plan.bytes_pruned) += file.row_groups[g].bytes;
    }
  }
  plan.partitions = std::ssize(days_read);
  plan.partitions_pruned = std::ssize(days) - plan.partitions;
}

}  // namespace

Result<ReadPlan> PlanRead(storage::ObjectStore& store, const LakeSchema& schema,
                          const Snapshot& snapshot, TimeRange range, const CutOptions& options,
                          std::stop_token stop) {
  if (range.end < range.begin) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the range ends at {}, before it begins at {}",
                            FormatTimestamp(range.end), FormatTimestamp(range.begin)));
  }
  if (options.rows_max < 1 || options.rows_per_file < 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "a unit must hold at least one row and a file must not hold less than none");
  }
  Days days = TRY(Days::In(options.daily_in_zone));
  TimeReader reader(store, schema, snapshot, stop);
  const auto read_times = [&](const RowGroupPart& part) { return reader.Read(part); };
  const auto parts = TRY(PartsInRange(snapshot, range, days, reader));

  ReadPlan plan = {.version = snapshot.version};
  CountWhatIsRead(snapshot, parts, plan);
  Packer packer(snapshot, options, plan.units);
  for (std::span<const RowGroupPart> left = parts; !left.empty();) {
    const int64_t midnight = days.EndOfDay(left.front().min_time);
    const auto day_end =
        std::ranges::lower_bound(left, midnight, {}, &RowGroupPart::min_time) - left.begin();
    for (const Segment& segment :
         TRY(CutOverlaps(left.first(day_end), options.rows_max, read_times))) {
      packer.Add(segment);
      plan.rows += segment.rows;
    }
    if (options.daily_in_zone.has_value()) packer.CloseFile();
    left = left.subspan(day_end);
  }
  packer.CloseFile();
  return plan;
}

}  // namespace spillway::lake
