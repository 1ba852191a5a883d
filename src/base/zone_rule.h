#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time_zone.h"

namespace spillway {

/// What the clocks of a zone do year after year, as the text at the end of its file says: a TZ
/// string of POSIX (IEEE 1003.1-2017, 8.3) with the extensions of RFC 9636, 3.3.1, such as
/// "CET-1CEST,M3.5.0,M10.5.0/3", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0" or "<+03>-3".
struct ZoneRule {
  struct Clock {
    std::string abbreviation;
    int64_t offset = 0;  ///< Seconds east of UTC.
  };

  /// A day of each year, and a time of that day.
  struct Date {
    enum class Form : uint8_t {
      kDay,             ///< `day` from 1 to 365; 29 February is never counted.
      kDayWithLeap,     ///< `day` from 0 to 365; 29 February is counted.
      kWeekdayOfMonth,  ///< `day` (0: Sunday) of week 1 to 5 (the last) of a month.
    };
    Form form = Form::kDay;
    int day = 0;
    int week = 0;
    int month = 0;
    int64_t seconds = 0;  ///< Of local time after midnight; may be negative, or beyond the day.

    /// In seconds of local time since 1970-01-01.
    int64_t In(int64_t year) const;
  };

  /// std::nullopt for a text that is no such rule.
  static std::optional<ZoneRule> Parse(std::string_view text);

  /// The run that holds the instant, in any year.
  OffsetSpan SpanAt(date::sys_seconds at) const;

  Clock standard;
  std::optional<Clock> daylight;
  Date daylight_begins;  ///< By standard time.
  Date daylight_ends;    ///< By daylight time.
};

}  // namespace spillway
