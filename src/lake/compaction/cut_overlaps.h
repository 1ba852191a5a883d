#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/error.h"

namespace spillway::lake {

/// Consecutive rows of one row group. Times are microseconds of UTC.
struct RowGroupPart {
  int32_t file = 0;  ///< Index in the snapshot.
  int32_t row_group = 0;
  int64_t rows = 0;  ///< Exactly; never 0.
  int64_t min_time = 0;
  int64_t max_time = 0;  ///< Inclusive.
};

/// Rows that belong to one unit: those of the parts with a time in [begin, end).
struct Segment {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t rows = 0;
  std::vector<RowGroupPart> parts;
};

/// The times of a row group, in order.
using ReadTimes = std::function<Result<std::vector<int64_t>>(const RowGroupPart&)>;

/// Cuts parts, sorted by least time, file and row group, into segments that follow one another.
/// Parts that overlap are together in a segment. A segment that would have more than `rows_max`
/// rows is cut at an instant, after reading the times of the parts around it.
Result<std::vector<Segment>> CutOverlaps(std::span<const RowGroupPart> parts, int64_t rows_max,
                                         const ReadTimes& read_times);

}  // namespace spillway::lake
