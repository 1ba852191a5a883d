#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "source/lake/lake.h"

namespace spillway::recipe {

/// `2025-01-11_2025-03-21` for whole days of the zone (both inclusive),
/// `2025-01-11T0630_2025-01-11T1200` otherwise.
Result<std::string> RangeName(lake::TimeRange range, std::string_view time_zone);

/// The zone's day that holds the instant: `2025-01-11`.
Result<std::string> DayName(Timestamp instant, std::string_view time_zone);

}  // namespace spillway::recipe
