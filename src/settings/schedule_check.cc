#include "settings/schedule_check.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "settings/exports.h"
#include "settings/setting_checks.h"

namespace spillway {
namespace {

using config::Complaints;

/// Schedules are tried as if they fired then; any instant would do.
constexpr Timestamp kTick =
    std::chrono::sys_days(std::chrono::year(2026) / 3 / 3) + std::chrono::hours(12);

/// The field by which an export is asked for on standard output; null: none.
const request::Field* StandardOutputAsked(const request::Form& form, const request::Texts& texts) {
  for (const request::Field& field : form.fields) {
    const auto found = texts.find(field.name);
    if (field.kind == request::Field::Kind::kPlace && found != texts.end() &&
        found->second == std::vector<std::string>{"-"})
      return &field;
  }
  return nullptr;
}

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
    const request::Texts texts = TextsOf(schedule, *found);
    if (const request::Field* field = StandardOutputAsked(form, texts)) {
      complaints.About(path + "." + field->name,
                       "is -, standard output, which a schedule does not have; use " +
                           request::ExpectationOf(*field));
      continue;
    }
    if (const auto problem = request::CheckOrganisation(form, schedule.organisation))
      complaints.About(path + "." + problem->field, problem->message, {path});
    for (const request::Problem& problem : CheckPlaces(form, texts, settings.lake.directory))
      complaints.About(path + "." + problem.field, problem.message, {path});
    const auto parameters = request::ParametersOf(
        form, texts, {.role = request::Role::kOperator, .at = kTick, .tick = kTick});
    if (!parameters.has_value()) {
      for (const request::Problem& problem : parameters.error())
        complaints.About(path + "." + problem.field, problem.message, {path});
      continue;
    }
    for (const request::Problem& problem :
         found->definition->CheckParameters(found->exported.settings, *parameters, found->shared)) {
      if (problem.field.empty())
        complaints.About(path, "cannot run: " + problem.message);
      else
        complaints.About(path + "." + problem.field, problem.message, {path});
    }
  }
}

}  // namespace spillway
