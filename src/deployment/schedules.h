#pragma once

#include <vector>

#include "base/error.h"
#include "maintenance/timetable.h"
#include "recipe/definition.h"
#include "settings/settings.h"

namespace spillway {

/// The configured schedules, as the engine fires them. `settings` outlives them.
Result<std::vector<engine::Schedule>> SchedulesOf(const Settings& settings,
                                                  const recipe::Registry& registry);

}  // namespace spillway
