#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "queue/queue.h"
#include "store/job_store.h"

namespace spillway::bench {

/// What threads of the engine spend their time on.
enum class Cost { kReceive, kClaim, kGet, kSettle, kDelete, kRenew, kRecipe };
inline constexpr std::array<std::string_view, 7> kCostNames = {
    "receive", "claim", "get", "settle", "delete", "renew", "recipe"};

/// Seconds by cost, summed over threads. Thread-safe.
class CostMeter {
 public:
  using Seconds = std::array<double, kCostNames.size()>;

  template <class Act>
  auto Time(Cost cost, Act act) {
    const auto began = std::chrono::steady_clock::now();
    auto answer = act();
    nanoseconds_[static_cast<size_t>(cost)] +=
        std::chrono::nanoseconds(std::chrono::steady_clock::now() - began).count();
    return answer;
  }

  Seconds Read() const {
    Seconds seconds;
    for (size_t i = 0; i < seconds.size(); ++i)
      seconds[i] = static_cast<double>(nanoseconds_[i]) / 1e9;
    return seconds;
  }

 private:
  std::array<std::atomic<int64_t>, kCostNames.size()> nanoseconds_{};
};

/// A job store that meters the calls workers make for chunks.
class TimedStore final : public store::JobStore {
 public:
  TimedStore(store::JobStore& store, CostMeter& meter) : store_(store), meter_(meter) {}

  Result<engine::Job> Get(std::string_view job_id) override {
    return meter_.Time(Cost::kGet, [&] { return store_.Get(job_id); });
  }
  Result<std::vector<store::Claim>> ClaimChunks(std::span<const store::ChunkRef> refs,
                                                std::string_view owner,
                                                std::chrono::milliseconds duration) override {
    return meter_.Time(Cost::kClaim, [&] { return store_.ClaimChunks(refs, owner, duration); });
  }
  Result<std::vector<store::Settled>> Settle(
      std::span<const store::Settlement> settlements) override {
    return meter_.Time(Cost::kSettle, [&] { return store_.Settle(settlements); });
  }
  Result<std::vector<store::Renewed>> Renew(std::span<const engine::Lease> leases,
                                            std::chrono::milliseconds duration) override {
    return meter_.Time(Cost::kRenew, [&] { return store_.Renew(leases, duration); });
  }

  Result<store::Created> Create(const engine::Job& job, bool fresh) override {
    return store_.Create(job, fresh);
  }
  Result<store::JobPage> List(const store::JobFilter& filter, std::string_view cursor,
                              size_t limit) override {
    return store_.List(filter, cursor, limit);
  }
  Result<std::vector<engine::Transition>> History(std::string_view job_id) override {
    return store_.History(job_id);
  }
  Result<std::optional<engine::Job>> Admit(std::string_view group, int64_t parallel_max) override {
    return store_.Admit(group, parallel_max);
  }
  Result<engine::Job> AcquireJob(std::string_view job_id, std::string_view owner,
                                 std::chrono::milliseconds duration) override {
    return store_.AcquireJob(job_id, owner, duration);
  }
  Result<engine::Job> Update(const engine::Lease& lease, const store::JobUpdate& update) override {
    return store_.Update(lease, update);
  }
  Result<engine::Job> RequestCancel(std::string_view job_id, std::string_view actor,
                                    std::string_view cause) override {
    return store_.RequestCancel(job_id, actor, cause);
  }
  Result<> AddChunks(const engine::Lease& lease, std::span<const store::NewChunk> chunks) override {
    return store_.AddChunks(lease, chunks);
  }
  Result<std::vector<engine::Chunk>> ListChunks(std::string_view job_id,
                                                std::optional<engine::ChunkState> state,
                                                int64_t after, size_t limit) override {
    return store_.ListChunks(job_id, state, after, limit);
  }
  Result<engine::Job> Redrive(std::string_view job_id, std::string_view actor) override {
    return store_.Redrive(job_id, actor);
  }
  Result<std::vector<engine::Job>> Stalled(Timestamp before, size_t limit) override {
    return store_.Stalled(before, limit);
  }
  Result<int64_t> CountAhead(std::string_view job_id) override { return store_.CountAhead(job_id); }
  Result<std::vector<std::string>> WaitingGroups(Timestamp before) override {
    return store_.WaitingGroups(before);
  }
  Result<store::Fired> Fire(const store::Firing& firing) override { return store_.Fire(firing); }
  Result<std::vector<store::ScheduleRecord>> Schedules() override { return store_.Schedules(); }
  Result<std::vector<engine::Job>> Expirable(const store::ExpiryFilter& filter,
                                             size_t limit) override {
    return store_.Expirable(filter, limit);
  }
  Result<engine::Job> BeginExpiry(const engine::Job& seen, int64_t objects,
                                  int64_t bytes) override {
    return store_.BeginExpiry(seen, objects, bytes);
  }
  Result<engine::Job> EndExpiry(std::string_view job_id) override {
    return store_.EndExpiry(job_id);
  }

 private:
  store::JobStore& store_;
  CostMeter& meter_;
};

/// A queue that meters the calls workers make for chunks.
class TimedQueue final : public store::Queue {
 public:
  TimedQueue(store::Queue& queue, CostMeter& meter) : queue_(queue), meter_(meter) {}

  Result<std::vector<store::Delivery>> Receive(size_t limit,
                                               std::chrono::milliseconds visibility) override {
    return meter_.Time(Cost::kReceive, [&] { return queue_.Receive(limit, visibility); });
  }
  Result<> Delete(std::span<const std::string> handles) override {
    return meter_.Time(Cost::kDelete, [&] { return queue_.Delete(handles); });
  }

  Result<> Send(std::span<const store::Message> messages) override { return queue_.Send(messages); }
  Result<> SetVisibility(std::span<const std::string> handles,
                         std::chrono::milliseconds visibility) override {
    return queue_.SetVisibility(handles, visibility);
  }
  Result<int64_t> Depth() override { return queue_.Depth(); }
  void Wait(Clock& clock, std::chrono::milliseconds pause, std::stop_token stop) override {
    queue_.Wait(clock, pause, std::move(stop));
  }

 private:
  store::Queue& queue_;
  CostMeter& meter_;
};

}  // namespace spillway::bench
