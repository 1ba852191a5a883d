#pragma once

#include <vector>

#include "base/error.h"
#include "cli/settings.h"
#include "engine/timetable.h"

namespace spillway::cli {

/// The configured schedules, as the engine fires them. `settings` outlives them.
Result<std::vector<engine::Schedule>> SchedulesOf(const Settings& settings);

}  // namespace spillway::cli
