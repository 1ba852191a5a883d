#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "engine/heartbeat.h"
#include "engine/job.h"
#include "engine/options.h"
#include "engine/staging.h"
#include "recipe/recipe.h"
#include "store/job_store.h"
#include "store/queue.h"

namespace spillway {
class Log;
class SigningKey;
}  // namespace spillway

namespace spillway::engine {

/// The stagings of one process, one a job that it works on. Thread-safe.
class Stagings {
 public:
  Stagings(std::string owner, const Options& options) : owner_(std::move(owner)), options_(options) {}

  Staging& Of(const Job& job, const recipe::Destination& destination);

  /// Closes the job's stages. Nothing of the job may be running here any more.
  void Drop(std::string_view job_id);

 private:
  const std::string owner_;
  const Options& options_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Staging>, std::less<>> stagings_;
};

/// All that an act works with. Everything outlives the worker.
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

/// What is to become of the message that asked for an act.
struct Verdict {
  std::optional<std::chrono::milliseconds> again_in;  ///< None: it is done with.

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

/// Takes the job's lease; none where the job is unknown, final or in another's hands. `busy` then
/// tells whether to ask again.
Result<std::optional<HeldJob>> HoldJob(Context& context, std::string_view job_id, bool* busy);

/// Deals with an act's error: nothing where the lease was lost, the discarding where the job was cancelled meanwhile,
/// another attempt later where that makes sense; otherwise the job fails with it.
Result<Verdict> FailAct(Context& context, const HeldJob& held, Error error, Random& random);

/// After a job left processing: lets the next of its group in.
Result<> AdmitNext(Context& context, std::string_view group);

}  // namespace spillway::engine
