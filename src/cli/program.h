#pragma once

#include "recipe/definition.h"

namespace spillway::cli {

/// The program with these recipes. Returns the exit code.
int Main(int argc, char** argv, const recipe::Registry& registry);

}  // namespace spillway::cli
