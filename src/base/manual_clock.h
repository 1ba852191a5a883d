#pragma once

#include <condition_variable>
#include <mutex>

#include "base/clock.h"

namespace spillway {

/// Time that stands still until it is told to move, for tests. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start = Timestamp(std::chrono::seconds(1'800'000'000)))
      : now_(start) {}

  Timestamp Now() override {
    std::lock_guard lock(mutex_);
    return now_;
  }

  std::chrono::microseconds Awake() override {
    std::lock_guard lock(mutex_);
    return now_.time_since_epoch() - asleep_;
  }

  /// Waits until Advance has moved the time past `duration`, or `stop` is requested.
  void SleepFor(std::chrono::microseconds duration, std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    const Timestamp until = now_ + duration;
    moved_.wait(lock, stop, [&] { return now_ >= until; });
  }

  void Advance(std::chrono::microseconds by) {
    {
      std::lock_guard lock(mutex_);
      now_ += by;
    }
    moved_.notify_all();
  }

  /// Advances as a machine that sleeps meanwhile.
  void Suspend(std::chrono::microseconds by) {
    {
      std::lock_guard lock(mutex_);
      asleep_ += by;
    }
    Advance(by);
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any moved_;
  Timestamp now_;
  std::chrono::microseconds asleep_{0};
};

}  // namespace spillway
