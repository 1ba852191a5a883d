#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "engine/heartbeat.h"
#include "engine/options.h"
#include "job/job.h"
#include "queue/queue.h"
#include "recipe/recipe.h"
#include "staging/stagings.h"
#include "store/job_store.h"

namespace spillway {
class Log;
class SigningKey;
}  // namespace spillway

namespace spillway::engine {

/// Keeps the first error of several actions that are all done, whatever becomes of the others.
class FirstError {
 public:
  template <class T>
  void Add(const Result<T>& outcome) {
    if (first_.has_value() && !outcome.has_value()) first_ = std::unexpected(outcome.error());
  }
  const Result<>& result() const { return first_; }

 private:
  Result<> first_;
};

/// Everything that an act needs. It must outlive the worker.
struct Context {
  store::JobStore& store;
  store::Queue& queue;
  const recipe::Recipes& recipes;
  Clock& clock;
  Log& log;
  const Options& options;
  const SigningKey* signing_key = nullptr;  ///< None: manifests are not signed.
  std::string owner;                        ///< Names this process in leases; new at every start.
  Heartbeat& heartbeat;
  Stagings& stagings;
};

/// What to do with the message that asked for an act.
struct Verdict {
  std::optional<std::chrono::milliseconds> again_in;  ///< None: it is removed.

  static Verdict Done() { return {}; }
  static Verdict Again(std::chrono::milliseconds pause) { return {pause}; }
};

/// A job whose lease this process holds for the time of one act.
struct HeldJob {
  Job job;
  std::unique_ptr<Heartbeat::Held> held;

  const Lease& lease() const { return held->lease(); }
  std::stop_token stop() const { return held->stop(); }
};

/// Takes the job's lease; none when the job is unknown, final or leased by another. `busy` then
/// tells whether to ask again.
Result<std::optional<HeldJob>> HoldJob(Context& context, std::string_view job_id, bool* busy);

/// Deals with an act's error. Does nothing when the lease was lost, asks for the job to be
/// discarded when it was cancelled meanwhile, and asks for another attempt later when that makes
/// sense; otherwise the job fails with the error.
Result<Verdict> FailAct(Context& context, const HeldJob& held, Error error, Random& random);

/// Whether the act was begun so often without success or error that it must be what ends its
/// workers. Shutdowns count too, so more attempts are allowed than for errors.
bool WasBegunTooOften(const Job& job, const Options& options);

/// The error that such a job fails with.
Error LostWorkersError(const Job& job);

/// Admits the next job of the group, after one has left processing.
Result<> AdmitNext(Context& context, std::string_view group);

}  // namespace spillway::engine
