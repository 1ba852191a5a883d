#pragma once

#include "recipe/definition.h"

namespace spillway::recipe {

/// The recipes of this program. CMake makes it from the list in src/recipe/CMakeLists.txt.
Registry RecipesInProgram();

}  // namespace spillway::recipe
