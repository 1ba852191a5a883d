#pragma once

#include <string>

#include "cli/open_data_settings.h"
#include "recipe/open_data/open_data.h"

namespace spillway::cli {

/// What libpq takes to connect as that login. Holds its password.
std::string AddressOf(const OpenDataDatabase& database, const DatabaseLogin& login);

recipe::OpenDataOptions OptionsOf(const OpenDataSettings& settings);

}  // namespace spillway::cli
