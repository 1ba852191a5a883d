#pragma once

#include <atomic>

#include "base/clock.h"

namespace spillway {

/// Time that moves only where somebody sleeps, and then at once, for tests. Thread-safe.
class JumpingClock final : public Clock {
 public:
  Timestamp Now() override { return now_; }

  void SleepFor(std::chrono::microseconds duration, std::stop_token) override {
    now_ = now_.load() + duration;
  }

 private:
  std::atomic<Timestamp> now_ = Timestamp(std::chrono::seconds(1'800'000'000));
};

}  // namespace spillway
