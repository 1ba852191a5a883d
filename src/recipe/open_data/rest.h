#pragma once

#include "base/error.h"
#include "recipe/definition.h"
#include "recipe/open_data/log_session.h"

namespace spillway::recipe::open_data {

/// The location-days that failed and were not exported since, and those without readings that wait
/// for the end of a recount.
Result<Remainder> LookForRest(LogSession& log);

/// The same, as the reading role.
Result<Remainder> LookForRest(const Settings& settings);

}  // namespace spillway::recipe::open_data
