#include "cli/schedules.h"

#include <string>
#include <utility>

#include "base/time_zone.h"
#include "cli/export_flags.h"

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

Result<recipe::Request> RequestAt(const Settings& settings, const std::string& name,
                                  const ScheduleSettings& schedule, Timestamp tick) {
  ExportFlags flags;
  flags.export_name = schedule.export_name;
  if (!schedule.from.empty()) {
    // As `run -z`: files are named, and split, by the days that the range is of.
    flags.time_zone = ZoneOf(settings, schedule);
    const lake::TimeRange range = TRY(RangeAt(schedule, flags.time_zone, tick));
    flags.organisation = schedule.organisation;
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
    schedules.push_back({.name = name,
                         .recipe = std::string(flags.RecipeOf(settings)),
                         .cron = TRY(schedule::Cron::Parse(schedule.cron)),
                         .zone = TRY(FindTimeZone(ZoneOf(settings, schedule))),
                         .catch_up = PolicyOf(schedule.catch_up),
                         .catch_up_within = schedule.catch_up_within,
                         .request = [&settings, name = name, &schedule = schedule](Timestamp tick) {
                           return RequestAt(settings, name, schedule, tick);
                         }});
  }
  return schedules;
}

}  // namespace spillway::cli
