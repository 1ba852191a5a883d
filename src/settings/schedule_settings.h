#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "config/section.h"

namespace spillway {

enum class CatchUpPolicy { kNone, kLast, kAll };

/// An export that is run by the clock.
struct ScheduleSettings {
  std::string export_name;
  std::string cron;
  std::optional<std::string> time_zone;
  CatchUpPolicy catch_up = CatchUpPolicy::kLast;
  std::chrono::milliseconds catch_up_within{86'400'000};
  std::string organisation;
  std::string from;
  std::optional<std::string> to;
  std::optional<std::string> through;
  std::map<std::string, std::string> parameters;
  std::optional<int64_t> limit;
  std::optional<std::chrono::milliseconds> time_limit;
  bool operator==(const ScheduleSettings&) const = default;
};

/// The parameter that a scheduled query has without being given it: the tick, an instant.
inline constexpr std::string_view kTickParameter = "tick";

using SchedulesByName = std::map<std::string, ScheduleSettings>;

config::Section<ScheduleSettings> DeclareSchedule();

/// The range that is exported at a tick; days are those of `zone`.
Result<TimeRange> RangeAt(const ScheduleSettings& schedule, std::string_view zone, Timestamp tick);

}  // namespace spillway
