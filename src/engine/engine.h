#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/random.h"
#include "engine/options.h"
#include "job/job.h"
#include "queue/queue.h"
#include "recipe/recipe.h"
#include "store/job_store.h"

namespace spillway::engine {

/// What people ask of the engine: to start, to stop, to try again. Workers do the rest.
/// Thread-safe.
class Engine {
 public:
  Engine(store::JobStore& store, store::Queue& queue, const recipe::Recipes& recipes,
         const Options& options, Random chance)
      : store_(store), queue_(queue), recipes_(recipes), options_(options), chance_(chance) {}

  /// E2. The run that is there already, or a new one; `fresh` forces a new one.
  Result<store::Created> Submit(std::string_view recipe, const recipe::Request& request,
                                bool fresh);

  /// The job that a request makes, without an id. Nothing of it is kept.
  Result<Job> JobOf(std::string_view recipe, const recipe::Request& request);

  /// E10. As JobStore::Fire; gives the firing's job an id, and lets the job in when its turn comes.
  Result<store::Fired> Fire(store::Firing firing);

  /// E6. Takes effect in running workers within their heartbeat. kConflict when it is too late.
  Result<Job> Cancel(std::string_view job_id, std::string_view actor, std::string_view cause);

  /// E5. Runs again what failed, and only that.
  Result<Job> Redrive(std::string_view job_id, std::string_view actor);

 private:
  std::string NewId();

  store::JobStore& store_;
  store::Queue& queue_;
  const recipe::Recipes& recipes_;
  const Options& options_;
  std::mutex mutex_;
  Random chance_;  ///< For the names of new jobs.
};

}  // namespace spillway::engine
