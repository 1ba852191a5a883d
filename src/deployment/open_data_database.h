#pragma once

#include <string>

#include "recipe/open_data/open_data.h"
#include "settings/open_data_settings.h"

namespace spillway {

/// What libpq takes to connect as that login. Holds its password.
std::string AddressOf(const OpenDataDatabase& database, const DatabaseLogin& login);

recipe::OpenDataOptions OptionsOf(const OpenDataSettings& settings);

}  // namespace spillway
