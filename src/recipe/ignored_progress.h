#pragma once

#include "recipe/recipe.h"

namespace spillway::recipe {

/// For those who do a chunk and do not ask how far it is.
class IgnoredProgress final : public Progress {
 public:
  Result<> Report(engine::ChunkProgress) override { return {}; }
};

}  // namespace spillway::recipe
