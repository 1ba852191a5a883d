#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "engine/options.h"
#include "job/job.h"
#include "queue/queue.h"
#include "store/job_store.h"

namespace spillway::engine {

/// Why work under a lease was told to stop.
enum class StopReason { kLeaseLost, kCancelRequested, kShutdown };

/// Renews the leases of one process while their holders work, and keeps the messages hidden that
/// asked for the work. Stops the holders when a lease is lost or the job is to be cancelled.
/// Thread-safe.
class Heartbeat {
 public:
  Heartbeat(store::JobStore& store, store::Queue& queue, Clock& clock, const Options& options)
      : store_(store), queue_(queue), clock_(clock), options_(options) {}

  /// A lease that is being kept alive, until this goes out of scope.
  class Held {
   public:
    /// `position` is the chunk's, as it was claimed.
    Held(Heartbeat& heartbeat, Lease lease, std::string position = {});
    ~Held();
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    const Lease& lease() const { return lease_; }
    /// Requested as soon as the work shall stop; `reason` then says why.
    std::stop_token stop() const { return stop_.get_token(); }
    std::optional<StopReason> reason() const;

    /// Has the next renewal write how far the chunk is; see recipe::Progress.
    void Report(ChunkProgress progress);
    /// From where another attempt can go on.
    std::string position() const;

   private:
    friend class Heartbeat;

    Heartbeat& heartbeat_;
    const Lease lease_;
    Timestamp expires_at_;  ///< As last renewed. Guarded by the heartbeat's mutex.
    std::stop_source stop_;
    std::optional<StopReason> reason_;  ///< Guarded by the heartbeat's mutex.
    ChunkProgress progress_;            ///< So is this,
    bool reported_ = false;             ///< and whether any of it was not written yet.
    uint64_t number_ = 0;               ///< Grows from one to the next.
    std::list<Held*>::iterator entry_;
  };

  /// A received message that is kept hidden, until this goes out of scope.
  class HiddenMessage {
   public:
    HiddenMessage(Heartbeat& heartbeat, std::string handle);
    ~HiddenMessage();
    HiddenMessage(const HiddenMessage&) = delete;
    HiddenMessage& operator=(const HiddenMessage&) = delete;

   private:
    Heartbeat& heartbeat_;
    std::list<std::string>::iterator entry_;
  };

  /// Whether somebody in this process holds the job's own lease.
  bool Holds(std::string_view job_id) const;

  /// Looks for cancellations. Renews each lease, and the visibility of the messages, when a third
  /// of its time has passed; the lease of a holder that has reported progress every second. A lease
  /// counts as lost if the store cannot be reached until its time is over.
  void Beat();

  /// Beats every `heartbeat` until `stop`; then as StopAll.
  void Run(std::stop_token stop);

  /// Stops all holders with kShutdown, those that come later too.
  void StopAll();

 private:
  void Stop(Held& held, StopReason reason);
  void StopCancelled();
  void RenewLeases();
  void ExtendMessages();

  store::JobStore& store_;
  store::Queue& queue_;
  Clock& clock_;
  const Options& options_;
  mutable std::mutex mutex_;
  std::list<Held*> held_;  ///< In the order of their numbers.
  uint64_t numbered_ = 0;
  std::list<std::string> messages_;       ///< Handles.
  std::optional<Timestamp> extended_at_;  ///< Used by the beating thread alone.
  bool stopped_ = false;
};

}  // namespace spillway::engine
