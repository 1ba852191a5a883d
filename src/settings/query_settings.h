#pragma once

#include "config/section.h"
#include "settings/settings.h"

namespace spillway {

config::Section<DatabaseSettings> DeclareDatabase();

/// Whether an export has what its recipe reads, and nothing of another's.
void CheckRecipe(const ExportSettings& settings, config::Complaints& complaints);

/// Whether the databases of query exports are there.
void CheckDatabases(const Settings& settings, config::Complaints& complaints);

}  // namespace spillway
