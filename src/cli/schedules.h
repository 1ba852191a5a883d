#pragma once

#include <vector>

#include "base/error.h"
#include "maintenance/timetable.h"
#include "settings/settings.h"

namespace spillway::cli {

/// The configured schedules, as the engine fires them. `settings` outlives them.
Result<std::vector<engine::Schedule>> SchedulesOf(const Settings& settings);

}  // namespace spillway::cli
