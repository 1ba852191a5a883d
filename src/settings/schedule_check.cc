#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/nearest_name.h"
#include "settings/settings.h"
#include "source/postgres/named_query.h"

namespace spillway {

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

void CheckMessages(const Settings& settings, const std::string& path,
                   const ScheduleSettings& schedule, Complaints& complaints) {
  if (schedule.organisation.empty()) {
    complaints.About(path, "has no organisation; say whose messages are exported");
  } else if (schedule.from.empty()) {
    complaints.About(path,
                     "has no range; give it one, such as from: yesterday and through: yesterday");
  } else {
    CheckRange(path, schedule, ZoneOf(settings, schedule), complaints);
  }
}

/// A schedule's parameters against those of its query; a table has none.
void CheckParameters(const std::string& path, const ScheduleSettings& schedule,
                     const ExportSettings& exported, Complaints& complaints) {
  std::vector<std::string> known;
  if (!exported.query.empty()) {
    const auto query = postgres_source::NamedQuery::Parse(exported.query);
    if (!query.has_value()) {
      return complaints.About("exports." + schedule.export_name + ".query",
                              "does not read: " + query.error().message, {path});
    }
    known = query->names();
  }
  for (const auto& [name, value] : schedule.parameters) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const auto nearest = NearestName(name, known);
    complaints.About(path + ".parameters." + name,
                     fmt::format("is no parameter of the query of {}; {}", schedule.export_name,
                                 nearest         ? "did you mean " + *nearest + "?"
                                 : known.empty() ? "it has none, so remove it"
                                                 : "use " + config::Alternatives(known)),
                     {path});
  }
  for (const std::string& name : known) {
    if (name == kTickParameter || schedule.parameters.contains(name)) continue;
    complaints.About(path + ".parameters",
                     fmt::format("gives no value to :{0} of the query of {1}; add {0}: …", name,
                                 schedule.export_name),
                     {path});
  }
}

/// Refuses what the recipe would not look at.
void RefuseOthers(const std::string& path, const ScheduleSettings& schedule, std::string_view what,
                  const std::vector<std::string>& taken, Complaints& complaints) {
  const std::array<std::pair<std::string_view, bool>, 7> fields = {{
      {"organisation", !schedule.organisation.empty()},
      {"from", !schedule.from.empty()},
      {"to", schedule.to.has_value()},
      {"through", schedule.through.has_value()},
      {"parameters", !schedule.parameters.empty()},
      {"limit", schedule.limit.has_value()},
      {"time_limit", schedule.time_limit.has_value()},
  }};
  for (const auto& [field, given] : fields) {
    if (!given || std::ranges::find(taken, field) != taken.end()) continue;
    complaints.About(
        fmt::format("{}.{}", path, field),
        fmt::format("is not for {}; remove it, or use {}", what, config::Alternatives(taken)),
        {path});
  }
}

}  // namespace

void CheckSchedules(const Settings& settings, Complaints& complaints) {
  const std::vector<std::string> names = ExportNames(settings);
  for (const auto& [name, schedule] : settings.schedules) {
    const std::string path = "schedules." + name;
    if (std::ranges::find(names, schedule.export_name) == names.end()) {
      if (schedule.export_name == kOpenData) {
        complaints.About(path + ".export", "is open-data, but " +
                                               CheckConfigured(settings.open_data).error().message);
        continue;
      }
      const auto nearest = NearestName(schedule.export_name, names);
      complaints.About(
          path + ".export",
          fmt::format(
              "is {}, which is no export; {}", config::Quoted(schedule.export_name),
              nearest ? "did you mean " + *nearest + "?" : "use " + config::Alternatives(names)));
      continue;
    }
    const auto exported = settings.exports.find(schedule.export_name);
    if (exported == settings.exports.end()) {
      RefuseOthers(path, schedule, "open data", {"limit", "time_limit"}, complaints);
    } else if (exported->second.recipe == ExportRecipe::kQueryExport) {
      RefuseOthers(path, schedule, "a query export", {"organisation", "parameters"}, complaints);
      CheckParameters(path, schedule, exported->second, complaints);
    } else {
      RefuseOthers(path, schedule, "an export of messages",
                   {"organisation", "from", "to", "through"}, complaints);
      CheckMessages(settings, path, schedule, complaints);
    }
  }
}

std::string ZoneOf(const Settings& settings, const ScheduleSettings& schedule) {
  if (schedule.time_zone) return *schedule.time_zone;
  const auto found = settings.exports.find(schedule.export_name);
  return found == settings.exports.end() ? "UTC" : found->second.time_zone;
}

}  // namespace spillway
