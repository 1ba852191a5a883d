#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/nearest_name.h"
#include "cli/settings.h"

namespace spillway::cli {

using config::Complaints;

namespace {

std::vector<std::string> ExportNames(const Settings& settings) {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : settings.exports) names.push_back(name);
  if (settings.open_data.configured()) names.emplace_back(kOpenData);
  return names;
}

/// A schedule's range, tried at a tick: which it is changes nothing.
void CheckRange(const std::string& path, const ScheduleSettings& schedule, const std::string& zone,
                Complaints& complaints) {
  const Timestamp tick =
      std::chrono::sys_days(std::chrono::year(2026) / 3 / 3) + std::chrono::hours(12);
  const auto range = RangeAt(schedule, zone, tick);
  if (range.has_value()) return;
  std::string message = range.error().message;
  for (size_t at = 0; (at = message.find("--", at)) != std::string::npos;) message.erase(at, 2);
  for (const std::string field : {"from", "to", "through"}) {
    if (!message.starts_with(field + " ")) continue;
    return complaints.About(path + "." + field, message.substr(field.size() + 1), {path});
  }
  complaints.About(path, "has no usable range: " + message);
}

}  // namespace

void CheckSchedules(const Settings& settings, Complaints& complaints) {
  const std::vector<std::string> names = ExportNames(settings);
  for (const auto& [name, schedule] : settings.schedules) {
    const std::string path = "schedules." + name;
    if (std::ranges::find(names, schedule.export_name) == names.end()) {
      const auto nearest = NearestName(schedule.export_name, names);
      complaints.About(
          path + ".export",
          fmt::format(
              "is {}, which is no export; {}", config::Quoted(schedule.export_name),
              nearest ? "did you mean " + *nearest + "?" : "use " + config::Alternatives(names)));
      continue;
    }
    const auto exported = settings.exports.find(schedule.export_name);
    if (exported == settings.exports.end() ||
        exported->second.recipe != ExportRecipe::kMessageExport) {
      if (schedule.organisation.empty() && schedule.from.empty() && !schedule.to &&
          !schedule.through) {
        continue;
      }
      complaints.About(path,
                       "has an organisation or a range, which only exports of messages take; "
                       "remove organisation, from, to and through");
    } else if (schedule.organisation.empty()) {
      complaints.About(path, "has no organisation; say whose messages are exported");
    } else if (schedule.from.empty()) {
      complaints.About(path,
                       "has no range; give it one, such as from: yesterday and through: "
                       "yesterday");
    } else {
      CheckRange(path, schedule, ZoneOf(settings, schedule), complaints);
    }
  }
}

std::string ZoneOf(const Settings& settings, const ScheduleSettings& schedule) {
  if (schedule.time_zone) return *schedule.time_zone;
  const auto found = settings.exports.find(schedule.export_name);
  return found == settings.exports.end() ? "UTC" : found->second.time_zone;
}

}  // namespace spillway::cli
