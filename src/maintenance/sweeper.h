#pragma once

#include <chrono>
#include <cstdint>

#include "engine/act.h"
#include "storage/maintenance.h"

namespace spillway::engine {

/// What was left in a store although nobody will ever use it.
struct Leftovers {
  int64_t jobs = 0;       ///< That are over, and have staged objects all the same.
  int64_t objects = 0;    ///< Staged for these.
  int64_t abandoned = 0;  ///< What Maintenance::SweepAbandoned found.
};

/// No call of the engine's lasts so long.
inline constexpr std::chrono::hours kAbandonedAge{24};

/// Looks for what workers that had lost their leases staged for jobs that were over, and for what
/// calls of dead processes left that is at least this old. What belongs to failed jobs stays,
/// for redrive, until they expire; so does what belongs to jobs that this state does not know.
Result<Leftovers> SweepLeftovers(store::JobStore& jobs, storage::ObjectStore& store,
                                 std::chrono::seconds abandoned_age, storage::Sweep sweep);

/// Removes the leftovers wherever this process has staged anything. One store's error keeps no
/// other; the first is returned.
Result<> RemoveLeftovers(Context& context);

}  // namespace spillway::engine
