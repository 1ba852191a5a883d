#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "store/job_store.h"

namespace spillway::recipe {

/// What the message exports of a state may still read of the lake: those that are under way, and
/// those that failed and can be redriven.
struct LakeReaders {
  int64_t jobs = 0;
  std::optional<int64_t> oldest_version;    ///< Of the lake, that any of their plans was made on.
  std::optional<Timestamp> planning_since;  ///< When the first of those without a plan was let in.
};

Result<LakeReaders> FindLakeReaders(store::JobStore& jobs);

}  // namespace spillway::recipe
