#pragma once

#include <vector>

#include "recipe/operation.h"

namespace spillway::recipe::open_data {

/// migrate, recount, mark and status. Their settings are open_data::Settings.
std::vector<Operation> Operations();

}  // namespace spillway::recipe::open_data
