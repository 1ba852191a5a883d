#include "deployment/schedules.h"

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/time_zone.h"
#include "deployment/requests.h"
#include "recipe/recipients.h"
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

/// Says in the request what of its values variables gave.
void Conceal(const std::vector<std::string>& from_variables, const request::Form& form,
             recipe::Request& request) {
  nlohmann::json concealed = nlohmann::json::array();
  for (const request::Field& field : form.fields) {
    if (field.kind != request::Field::Kind::kValues) continue;
    for (const std::string& path : from_variables) {
      if (!path.starts_with(field.name + ".")) continue;
      concealed.push_back("/" + std::string(field.path()) + "/" +
                          path.substr(field.name.size() + 1));
    }
  }
  if (concealed.empty()) return;
  auto parameters = nlohmann::json::parse(request.parameters);
  parameters[recipe::kConcealed] = std::move(concealed);
  request.parameters = parameters.dump();
}

/// A configured schedule.
struct Scheduled {
  std::string name;
  ScheduleSettings settings;
  ConfiguredExport exported;
  std::vector<std::string> from_variables;
};

Result<recipe::Request> RequestAt(const Scheduled& scheduled, Timestamp tick) {
  recipe::Request request =
      TRY(RequestOf(scheduled.exported, TextsOf(scheduled.settings, scheduled.exported),
                    {.user = engine::RequesterAt(scheduled.name, tick),
                     .organisation = scheduled.settings.organisation,
                     .role = request::Role::kOperator},
                    {.at = tick, .tick = tick}));
  Conceal(scheduled.from_variables, scheduled.exported.form(), request);
  return request;
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
    Scheduled scheduled{.name = name,
                        .settings = schedule,
                        .exported = std::move(exported),
                        .from_variables = settings.FromVariablesIn("schedules." + name)};
    schedules.push_back({.name = name,
                         .export_name = schedule.export_name,
                         .organisation = schedule.organisation,
                         .recipe = std::move(recipe),
                         .cron = std::move(cron),
                         .zone = std::move(zone),
                         .catch_up = PolicyOf(schedule.catch_up),
                         .catch_up_within = schedule.catch_up_within,
                         .request = [scheduled = std::move(scheduled)](Timestamp tick) {
                           return RequestAt(scheduled, tick);
                         }});
  }
  return schedules;
}

}  // namespace spillway
