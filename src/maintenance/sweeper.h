#pragma once

#include <chrono>
#include <cstdint>

#include "engine/act.h"

namespace spillway::engine {

/// What was left in a store although nobody will ever use it.
struct Leftovers {
  int64_t jobs = 0;       ///< Jobs that are over, but still have staged objects.
  int64_t objects = 0;    ///< Staged for these jobs.
  int64_t abandoned = 0;  ///< ObjectStore::SweepAbandoned's.
};

/// Longer than any call of the engine takes.
inline constexpr std::chrono::hours kAbandonedAge{24};

/// Looks for what workers that had lost their leases staged for jobs that were over, and for what
/// calls of dead processes left that is at least this old. What belongs to failed jobs stays, for
/// redrive, until they expire; so does what belongs to jobs that are not in this database.
Result<Leftovers> SweepLeftovers(store::JobStore& jobs, storage::ObjectStore& store,
                                 std::chrono::seconds abandoned_age, storage::Sweep sweep);

/// Removes the leftovers wherever this process has staged anything. An error of one store does not
/// stop the others; the first error is returned.
Result<> RemoveLeftovers(Context& context);

}  // namespace spillway::engine
