#include "cli/schedules.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/time_zone.h"
#include "cli/export_flags.h"
#include "config/scalar.h"
#include "source/postgres/named_query.h"

namespace spillway::cli {
namespace {

engine::CatchUp PolicyOf(CatchUpPolicy policy) {
  switch (policy) {
    case CatchUpPolicy::kNone:
      return engine::CatchUp::kNone;
    case CatchUpPolicy::kAll:
      return engine::CatchUp::kAll;
    case CatchUpPolicy::kLast:
      break;
  }
  return engine::CatchUp::kLast;
}

/// As `run --param`.
Result<std::vector<std::string>> ParametersAt(const Settings& settings,
                                              const ScheduleSettings& schedule, Timestamp tick) {
  std::vector<std::string> parameters;
  for (const auto& [name, value] : schedule.parameters) parameters.push_back(name + "=" + value);
  const auto exported = settings.exports.find(schedule.export_name);
  const std::string tick_name(kTickParameter);
  if (exported == settings.exports.end() || exported->second.query.empty() ||
      schedule.parameters.contains(tick_name)) {
    return parameters;
  }
  const auto query = TRY(postgres_source::NamedQuery::Parse(exported->second.query));
  if (std::ranges::find(query.names(), tick_name) != query.names().end())
    parameters.push_back(tick_name + "=" + FormatTimestamp(tick));
  return parameters;
}

Result<recipe::Request> RequestAt(const Settings& settings, const std::string& name,
                                  const ScheduleSettings& schedule, Timestamp tick) {
  ExportFlags flags;
  flags.export_name = schedule.export_name;
  flags.organisation = schedule.organisation;
  flags.parameters = TRY(ParametersAt(settings, schedule, tick));
  if (schedule.limit) flags.limit = std::to_string(*schedule.limit);
  if (schedule.time_limit) flags.time_limit = config::FormatDuration(*schedule.time_limit);
  if (!schedule.from.empty()) {
    // As `run -z`: files are named, and split, by the days that the range is of.
    flags.time_zone = ZoneOf(settings, schedule);
    const TimeRange range = TRY(RangeAt(schedule, flags.time_zone, tick));
    flags.from = FormatTimestamp(range.begin);
    flags.to = FormatTimestamp(range.end);
  }
  recipe::Request request = TRY(flags.ToRequest(settings, ""));
  request.requested_by = "schedule " + name + ", " + FormatTimestamp(tick);
  return request;
}

}  // namespace

Result<std::vector<engine::Schedule>> SchedulesOf(const Settings& settings) {
  std::vector<engine::Schedule> schedules;
  for (const auto& [name, schedule] : settings.schedules) {
    ExportFlags flags;
    flags.export_name = schedule.export_name;
    const std::string_view recipe = TRY(flags.RecipeOf(settings));
    schedule::Cron cron = TRY(schedule::Cron::Parse(schedule.cron));
    TimeZone zone = TRY(FindTimeZone(ZoneOf(settings, schedule)));
    schedules.push_back({.name = name,
                         .recipe = std::string(recipe),
                         .cron = std::move(cron),
                         .zone = std::move(zone),
                         .catch_up = PolicyOf(schedule.catch_up),
                         .catch_up_within = schedule.catch_up_within,
                         .request = [&settings, name = name, &schedule = schedule](Timestamp tick) {
                           return RequestAt(settings, name, schedule, tick);
                         }});
  }
  return schedules;
}

}  // namespace spillway::cli
