#pragma once

#include "recipe/examination.h"
#include "recipe/open_data/settings.h"

namespace spillway::recipe::open_data {

/// Whether the database has what open data needs: roles, views, the log, triggers and rights.
void Examine(const Settings& settings, Examination& examination);

}  // namespace spillway::recipe::open_data
