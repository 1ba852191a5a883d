#pragma once

#include "cli/settings.h"
#include "config/section.h"

namespace spillway::cli {

/// Complains of what an export's settings say of its files in vain: whoever sets something expects
/// that it does something.
void CheckOutputSettings(const ExportSettings& settings, config::Complaints& complaints);

}  // namespace spillway::cli
