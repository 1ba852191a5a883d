#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/section.h"
#include "recipe/definition.h"

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
  std::map<std::string, std::vector<std::string>> fields;  ///< Of the export's form: its texts.
  bool operator==(const ScheduleSettings&) const = default;
};

using SchedulesByName = std::map<std::string, ScheduleSettings>;

config::Section<ScheduleSettings> DeclareSchedule(const recipe::Registry& registry);

}  // namespace spillway
