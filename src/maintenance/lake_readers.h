#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "recipe/recipe.h"
#include "store/job_store.h"

namespace spillway::engine {

/// What the jobs of a state may still read of the lake: those that are under way, and those that
/// failed and can be redriven.
struct LakeReaders {
  int64_t jobs = 0;
  std::optional<int64_t> oldest_version;    ///< Of the lake, that any of their plans was made on.
  std::optional<Timestamp> planning_since;  ///< When the first of those without a plan was let in.
};

/// Jobs of recipes that are not among `recipes` count where their plans name a version of the lake.
Result<LakeReaders> FindLakeReaders(store::JobStore& jobs, const recipe::Recipes& recipes);

}  // namespace spillway::engine
