#pragma once

#include "config/section.h"
#include "settings/settings.h"

namespace spillway {

/// Complains of what an export's settings say of its files in vain: whoever sets something expects
/// that it does something.
void CheckOutputSettings(const ExportSettings& settings, config::Complaints& complaints);

}  // namespace spillway
