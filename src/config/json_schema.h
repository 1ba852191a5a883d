#pragma once

#include <string>

#include "config/outline.h"

namespace spillway::config {

/// The JSON Schema (draft 2020-12) of the configuration, for editors. `title` names the product.
std::string JsonSchema(const Outline& outline, const std::string& title);

}  // namespace spillway::config
