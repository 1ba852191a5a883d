#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "recipe/definition.h"
#include "request/form.h"
#include "settings/settings.h"

namespace spillway {

/// An export of the configuration, and what it is an export of.
struct ConfiguredExport {
  const recipe::Definition* definition;
  recipe::Export exported;
  recipe::SharedSettings shared;  ///< Of the settings that it was found in, which outlive it.

  request::Form form() const { return definition->form(exported.settings); }
  std::string time_zone() const { return definition->time_zone(exported.settings); }
};

/// The exports of a recipe, StandingExports included where they are configured.
std::vector<recipe::Export> ExportsOf(const Settings& settings,
                                      const recipe::Definition& definition);

/// The names of all exports, those included that are not configured.
std::vector<std::string> ExportNames(const Settings& settings, const recipe::Registry& registry);

/// kNotFound for a name that is none; kInvalidArgument, saying what to set, for a StandingExport
/// that is not configured.
Result<ConfiguredExport> FindExport(const Settings& settings, const recipe::Registry& registry,
                                    std::string_view name);

/// Every place that exports are written to.
std::vector<std::string> PlacesOf(const Settings& settings, const recipe::Registry& registry);

/// The time zone of a schedule, and of its export's days.
std::string ZoneOf(const ScheduleSettings& schedule, const ConfiguredExport& exported);

/// What a schedule asks of its export.
request::Texts TextsOf(const ScheduleSettings& schedule, const ConfiguredExport& exported);

}  // namespace spillway
