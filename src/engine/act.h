#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// Of several things of which one's error keeps no other from being done.
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

/// The stagings of one process, one a job that it works on. Thread-safe.
class Stagings {
  struct Entry;

 public:
  /// Keeps a job's staging open, until it goes out of scope.
  class Use {
   public:
    Use() = default;
    Use(Use&& other) noexcept
        : stagings_(std::exchange(other.stagings_, nullptr)), entry_(other.entry_) {}
    Use& operator=(Use&& other) noexcept {
      std::swap(stagings_, other.stagings_);
      std::swap(entry_, other.entry_);
      return *this;
    }
    ~Use() {
      if (stagings_ != nullptr) stagings_->Leave(entry_);
    }

    Staging& operator*() const;

   private:
    friend class Stagings;
    Use(Stagings& stagings, Entry& entry) : stagings_(&stagings), entry_(&entry) {}

    Stagings* stagings_ = nullptr;
    Entry* entry_ = nullptr;
  };

  Stagings(std::string owner, const Options& options);
  ~Stagings();

  Use Of(const Job& job, const recipe::Destination& destination);

  /// Closes the job's stages as soon as nobody uses them; whoever comes later begins new ones.
  void Drop(std::string_view job_id);

  /// Jobs whose stages are open although nobody works on them now.
  std::vector<std::string> Unused();

  /// Where anything was staged so far.
  std::vector<storage::ObjectStore*> Stores();

 private:
  void Leave(Entry* entry);

  const std::string owner_;
  const Options& options_;
  std::mutex mutex_;
  int64_t opened_ = 0;
  std::list<Entry> entries_;
  std::set<storage::ObjectStore*> stores_;
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

/// Deals with an act's error: nothing where the lease was lost, the discarding where the job was
/// cancelled meanwhile, another attempt later where that makes sense; otherwise the job fails with
/// it.
Result<Verdict> FailAct(Context& context, const HeldJob& held, Error error, Random& random);

/// Whether the act was begun so often without any end that its workers must have died of it.
/// Shutdowns count too, hence more attempts than for errors.
bool EndsItsWorkers(const Job& job, const Options& options);

/// The error that such a job fails with.
Error SilenceOf(const Job& job);

/// After a job left processing: lets the next of its group in.
Result<> AdmitNext(Context& context, std::string_view group);

}  // namespace spillway::engine
