#pragma once

#include <string>

#include "base/clock.h"
#include "base/time_zone.h"

namespace spillway::recipe {

/// `2025-01-11_2025-03-21` for whole days of the zone (both inclusive),
/// `2025-01-11T0630_2025-01-11T1200` otherwise.
std::string RangeName(TimeRange range, const TimeZone& zone);

/// The zone's day that holds the instant: `2025-01-11`.
std::string DayName(Timestamp instant, const TimeZone& zone);

}  // namespace spillway::recipe
