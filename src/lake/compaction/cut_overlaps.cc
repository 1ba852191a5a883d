#include "lake/compaction/cut_overlaps.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace spillway::lake {
namespace {

using Place = std::pair<int32_t, int32_t>;

Place PlaceOf(const RowGroupPart& part) { return {part.file, part.row_group}; }

Segment Whole(std::span<const RowGroupPart> parts) {
  Segment segment = {.begin = parts.front().min_time,
                     .end = std::ranges::max(parts, {}, &RowGroupPart::max_time).max_time + 1,
                     .parts = {parts.begin(), parts.end()}};
  for (const RowGroupPart& part : parts) segment.rows += part.rows;
  return segment;
}

/// How many of the first parts overlap, one with the next. Rows of one instant follow one another
/// in the order of files, so a part that ends when a later one begins does not overlap it.
size_t OverlappingFirst(std::span<const RowGroupPart> parts) {
  std::pair<int64_t, Place> latest = {parts[0].max_time, PlaceOf(parts[0])};
  for (size_t i = 1; i < parts.size(); ++i) {
    if (std::pair(parts[i].min_time, PlaceOf(parts[i])) > latest) return i;
    latest = std::max(latest, std::pair(parts[i].max_time, PlaceOf(parts[i])));
  }
  return parts.size();
}

/// Goes through the rows of overlapping parts in order of time. Keeps only the times of the parts
/// that contain the current time in memory.
class Sweep {
 public:
  Sweep(std::span<const RowGroupPart> parts, const ReadTimes& read_times)
      : unread_(parts), read_times_(read_times), at_(parts.front().min_time) {}

  /// The next rows: at most `rows`, without dividing an instant, and at least those of one instant.
  Result<Segment> Next(int64_t rows) {
    while (!unread_.empty() && CountBefore(unread_.front().min_time) < rows) TRY(ReadNext());
    const int64_t first = FirstTime();
    int64_t fits = first;
    int64_t too_late = unread_.empty() ? LastTime() + 2 : unread_.front().min_time + 1;
    while (too_late - fits > 1) {
      const int64_t middle = std::midpoint(fits, too_late);
      (CountBefore(middle) <= rows ? fits : too_late) = middle;
    }
    const int64_t end = std::max(fits, first + 1);
    return Take(end);
  }

 private:
  struct Standing {
    RowGroupPart part;
    std::vector<int64_t> times;
    size_t row = 0;

    size_t RowsBefore(int64_t time) const {
      return std::lower_bound(times.begin() + row, times.end(), time) - (times.begin() + row);
    }
  };

  Result<> ReadNext() {
    const RowGroupPart& part = unread_.front();
    auto times = TRY(read_times_(part));
    const auto begin = std::ranges::lower_bound(times, part.min_time);
    const auto end = std::ranges::upper_bound(times, part.max_time);
    standing_.push_back({.part = part, .times = {begin, end}});
    unread_ = unread_.subspan(1);
    return {};
  }

  int64_t CountBefore(int64_t time) const {
    int64_t rows = 0;
    for (const Standing& each : standing_) rows += each.RowsBefore(time);
    return rows;
  }

  int64_t FirstTime() const {
    int64_t first = INT64_MAX;
    for (const Standing& each : standing_) first = std::min(first, each.times[each.row]);
    return first;
  }

  int64_t LastTime() const {
    int64_t last = INT64_MIN;
    for (const Standing& each : standing_) last = std::max(last, each.times.back());
    return last;
  }

  Segment Take(int64_t end) {
    Segment segment = {.begin = std::exchange(at_, end), .end = end};
    for (Standing& each : standing_) {
      const size_t rows = each.RowsBefore(end);
      if (rows == 0) continue;
      each.row += rows;
      segment.rows += rows;
      segment.parts.push_back(each.part);
      segment.parts.back().rows = rows;
    }
    std::erase_if(standing_, [](const Standing& each) { return each.row == each.times.size(); });
    return segment;
  }

  std::span<const RowGroupPart> unread_;
  const ReadTimes& read_times_;
  std::vector<Standing> standing_;
  int64_t at_;
};

}  // namespace

Result<std::vector<Segment>> CutOverlaps(std::span<const RowGroupPart> parts, int64_t rows_max,
                                         const ReadTimes& read_times) {
  std::vector<Segment> segments;
  while (!parts.empty()) {
    const auto together = parts.first(OverlappingFirst(parts));
    parts = parts.subspan(together.size());
    Segment whole = Whole(together);
    if (whole.rows <= rows_max || together.size() == 1) {
      segments.push_back(std::move(whole));
      continue;
    }
    Sweep sweep(together, read_times);
    for (int64_t left = whole.rows; left > 0; left -= segments.back().rows) {
      const int64_t cuts = (left + rows_max - 1) / rows_max;
      segments.push_back(TRY(sweep.Next((left + cuts - 1) / cuts)));
    }
  }
  return segments;
}

}  // namespace spillway::lake
