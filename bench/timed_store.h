#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "queue/queue.h"
#include "store/forwarding_store.h"

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
class TimedStore final : public store::ForwardingStore {
 public:
  TimedStore(store::JobStore& store, CostMeter& meter) : ForwardingStore(store), meter_(meter) {}

  Result<engine::Job> Get(std::string_view job_id) override {
    return meter_.Time(Cost::kGet, [&] { return store_.Get(job_id); });
  }
  Result<store::Claims> ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                                    std::string_view owner,
                                    std::chrono::milliseconds duration) override {
    return meter_.Time(Cost::kClaim,
                       [&] { return store_.ClaimChunks(job_id, after, limit, owner, duration); });
  }
  Result<std::vector<store::Settled>> Settle(
      std::span<const store::Settlement> settlements) override {
    return meter_.Time(Cost::kSettle, [&] { return store_.Settle(settlements); });
  }
  Result<std::vector<bool>> Renew(std::span<const store::Renewal> renewals,
                                  std::chrono::milliseconds duration) override {
    return meter_.Time(Cost::kRenew, [&] { return store_.Renew(renewals, duration); });
  }
  Result<std::vector<bool>> CancelRequested(std::span<const std::string> job_ids) override {
    return meter_.Time(Cost::kRenew, [&] { return store_.CancelRequested(job_ids); });
  }

 private:
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
  Result<> Extend(std::span<const std::string> handles,
                  std::chrono::milliseconds visibility) override {
    return meter_.Time(Cost::kRenew, [&] { return queue_.Extend(handles, visibility); });
  }
  Result<> GiveBack(std::span<const std::string> handles,
                    std::chrono::milliseconds delay) override {
    return meter_.Time(Cost::kDelete, [&] { return queue_.GiveBack(handles, delay); });
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
