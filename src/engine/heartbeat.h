#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "engine/options.h"
#include "job/job.h"
#include "store/job_store.h"

namespace spillway::engine {

/// Why work under a lease was told to stop.
enum class StopReason { kLeaseLost, kCancelRequested, kShutdown };

/// Keeps the leases of one process alive while their holders work, and stops the holders when a
/// lease is lost or the job is to be cancelled. Thread-safe.
class Heartbeat {
 public:
  Heartbeat(store::JobStore& store, Clock& clock, const Options& options)
      : store_(store), clock_(clock), options_(options) {}

  /// A lease that is being kept alive, until this goes out of scope.
  class Held {
   public:
    Held(Heartbeat& heartbeat, Lease lease);
    ~Held();
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    const Lease& lease() const { return lease_; }
    /// Requested as soon as the work shall stop; `reason` then says why.
    std::stop_token stop() const { return stop_.get_token(); }
    std::optional<StopReason> reason() const;

   private:
    friend class Heartbeat;

    Heartbeat& heartbeat_;
    const Lease lease_;
    Timestamp expires_at_;  ///< As last renewed. Guarded by the heartbeat's mutex.
    std::stop_source stop_;
    std::optional<StopReason> reason_;  ///< Guarded by the heartbeat's mutex.
    std::list<Held*>::iterator entry_;
  };

  /// Whether somebody in this process holds the job's own lease.
  bool Holds(std::string_view job_id) const;

  /// Renews every held lease once. When the store cannot be reached past a lease's own end, the
  /// lease counts as lost.
  void Beat();

  /// Beats every `heartbeat` until `stop`; then as StopAll.
  void Run(std::stop_token stop);

  /// Stops all holders with kShutdown, those that come later too.
  void StopAll();

 private:
  void Stop(Held& held, StopReason reason);

  store::JobStore& store_;
  Clock& clock_;
  const Options& options_;
  mutable std::mutex mutex_;
  std::list<Held*> held_;
  bool stopped_ = false;
};

}  // namespace spillway::engine
