#pragma once

#include <expected>
#include <optional>
#include <string>

#include "base/clock.h"
#include "request/form.h"

namespace spillway::request {

/// A range of time as a user says it. Each text is a day ("2025-01-31"), a wall clock time
/// ("2025-01-31T13:05", seconds and fractions optional), both in the named zone, or an instant (RFC
/// 3339: "2025-01-31T13:05:00+01:00", "…Z"), or a word: today, yesterday, today-7d, this-week (from
/// Monday on), last-week, this-month, last-month, this-year, last-year, which stand for their
/// beginning, in `through` for all of them; and now.
struct TimeRangeText {
  std::string from;                    ///< The first instant; a day stands for its beginning.
  std::optional<std::string> to;       ///< The first instant after the range (half-open).
  std::optional<std::string> through;  ///< In its place, the last day that belongs to it.
  std::string time_zone = "UTC";       ///< IANA name.
  Timestamp now;                       ///< What words are relative to.
};

/// The instants meant, rounded up to microseconds: no message lies in between. A wall clock time
/// that a zone skips stands for the first instant after the gap (so a day without midnight begins
/// where it begins); one that comes twice for its first. What is wrong is a text that is no time, a
/// day that is none, an unknown zone (the problem has the nearest known one), an end that is missing
/// or given twice, and an end that is not after the beginning.
std::expected<TimeRange, Problem> ParseTimeRange(const TimeRangeText& text);

}  // namespace spillway::request
