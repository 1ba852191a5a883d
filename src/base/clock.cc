#include "base/clock.h"

#include <condition_variable>
#include <mutex>

#include <date/date.h>

namespace spillway {

Timestamp SystemClock::Now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::chrono::microseconds SystemClock::Awake() {
  return std::chrono::floor<std::chrono::microseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

void SystemClock::SleepFor(std::chrono::microseconds duration, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, duration, [] { return false; });
}

std::string FormatTimestamp(Timestamp time) { return date::format("%FT%TZ", time); }

}  // namespace spillway
