#pragma once

#include <string>

#include "config/shape.h"

namespace spillway::config {

/// What is wrong with the value of a setting; for a field's Check.
Complaint CheckNotEmpty(const std::string& name);
Complaint CheckTimeZone(const std::string& name);

}  // namespace spillway::config
