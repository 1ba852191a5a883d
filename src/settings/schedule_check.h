#pragma once

#include "config/section.h"
#include "recipe/definition.h"
#include "settings/settings.h"

namespace spillway {

/// Whether schedules fit the exports that they run.
void CheckSchedules(const Settings& settings, const recipe::Registry& registry,
                    config::Complaints& complaints);

}  // namespace spillway
