#include "deployment/schedules.h"

#include <string>
#include <utility>

#include "base/time_zone.h"
#include "deployment/requests.h"
#include "schedule/cron.h"
#include "settings/exports.h"

namespace spillway {
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

Result<recipe::Request> RequestAt(const ConfiguredExport& exported, const std::string& name,
                                  const ScheduleSettings& schedule, Timestamp tick) {
  return RequestOf(exported, TextsOf(schedule, exported),
                   {.user = engine::RequesterAt(name, tick),
                    .organisation = schedule.organisation,
                    .role = request::Role::kOperator},
                   {.at = tick, .tick = tick});
}

}  // namespace

Result<std::vector<engine::Schedule>> SchedulesOf(const Settings& settings,
                                                  const recipe::Registry& registry) {
  std::vector<engine::Schedule> schedules;
  for (const auto& [name, schedule] : settings.schedules) {
    ConfiguredExport exported = TRY(FindExport(settings, registry, schedule.export_name));
    schedule::Cron cron = TRY(schedule::Cron::Parse(schedule.cron));
    TimeZone zone = TRY(FindTimeZone(ZoneOf(schedule, exported)));
    std::string recipe(exported.definition->name());
    schedules.push_back(
        {.name = name,
         .export_name = schedule.export_name,
         .organisation = schedule.organisation,
         .recipe = std::move(recipe),
         .cron = std::move(cron),
         .zone = std::move(zone),
         .catch_up = PolicyOf(schedule.catch_up),
         .catch_up_within = schedule.catch_up_within,
         .request = [exported = std::move(exported), name = name, schedule = schedule](
                        Timestamp tick) { return RequestAt(exported, name, schedule, tick); }});
  }
  return schedules;
}

}  // namespace spillway
