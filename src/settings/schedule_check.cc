#include "settings/schedule_check.h"

#include <chrono>
#include <utility>

#include "settings/exports.h"

namespace spillway {
namespace {

using config::Complaints;

/// Which instant a schedule is tried at changes nothing.
constexpr Timestamp kTick =
    std::chrono::sys_days(std::chrono::year(2026) / 3 / 3) + std::chrono::hours(12);

}  // namespace

void CheckSchedules(const Settings& settings, const recipe::Registry& registry,
                    Complaints& complaints) {
  for (const auto& [name, schedule] : settings.schedules) {
    const std::string path = "schedules." + name;
    const Result<ConfiguredExport> found = FindExport(settings, registry, schedule.export_name);
    if (!found.has_value()) {
      complaints.About(path + ".export", "does not run: " + found.error().message);
      continue;
    }
    const request::Form form = found->form();
    if (const auto problem = request::CheckOrganisation(form, schedule.organisation))
      complaints.About(path + "." + problem->field, problem->message, {path});
    const auto parameters =
        request::ParametersOf(form, TextsOf(schedule, *found),
                              {.role = request::Role::kOperator, .at = kTick, .tick = kTick});
    if (!parameters.has_value()) {
      for (const request::Problem& problem : parameters.error())
        complaints.About(path + "." + problem.field, problem.message, {path});
      continue;
    }
    const Result<> checked =
        found->definition->CheckParameters(found->exported.settings, *parameters);
    if (!checked.has_value()) complaints.About(path, "cannot run: " + checked.error().message);
  }
}

}  // namespace spillway
