#pragma once

#include "cli/examination.h"
#include "settings/open_data_settings.h"

namespace spillway::cli {

/// Looks at the database of open data as its two roles see it, changing nothing: connections, the
/// log and the rights to it, the three views and what they hold, what is tracked, how many days
/// wait or have failed. What cannot be looked at hinders no other look.
void LookAtOpenData(const OpenDataSettings& settings, Examination& examination);

}  // namespace spillway::cli
