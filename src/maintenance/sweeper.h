#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "engine/act.h"
#include "storage/maintenance.h"

namespace spillway::engine {

/// What was left in a store although nobody will ever use it.
struct Leftovers {
  int64_t jobs = 0;       ///< Jobs that are over, but still have staged objects.
  int64_t objects = 0;    ///< Staged for these jobs.
  int64_t abandoned = 0;  ///< Maintenance::SweepAbandoned's.
};

/// Longer than any call of the engine takes.
inline constexpr std::chrono::hours kAbandonedAge{24};

/// Looks for what workers that had lost their leases staged for jobs that were over, and for what
/// calls of dead processes left that is at least this old. What belongs to failed jobs stays, for
/// redrive, until they expire; so does what belongs to jobs that are not in this database.
Result<Leftovers> SweepLeftovers(store::JobStore& jobs, storage::ObjectStore& store,
                                 std::chrono::seconds abandoned_age, storage::Sweep sweep);

/// Removes leftovers wherever this process has staged anything, and where the state's newest jobs
/// have their files, since other processes may have left something there. Used by one thread at a
/// time.
class LeftoverRemoval {
 public:
  explicit LeftoverRemoval(Context& context) : context_(context) {}

  /// An error of one place does not stop the others; the first error is returned.
  Result<> Run();

 private:
  Result<> FindPlaces();

  Context& context_;
  std::set<std::string> seen_;  ///< Jobs whose places were looked up, each once.
  std::set<std::weak_ptr<storage::ObjectStore>, std::owner_less<>> places_;
};

}  // namespace spillway::engine
