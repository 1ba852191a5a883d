#include "engine/retry.h"

#include <algorithm>

namespace spillway::engine {

bool ShouldRetry(const Error& error, int64_t attempts, const Options& options) {
  return error.retryable && attempts < options.attempts_max;
}

std::chrono::milliseconds Backoff(const Error& error, int64_t attempts, const Options& options,
                                  Random& random) {
  const int64_t doublings = std::clamp<int64_t>(attempts - 1, 0, 30);
  const auto whole =
      std::min(options.backoff_base * (int64_t{1} << doublings), options.backoff_max);
  const auto half = whole / 2;
  const std::chrono::milliseconds pause =
      half + std::chrono::milliseconds(random.Below(static_cast<uint64_t>(half.count()) + 1));
  return std::max(pause, error.retry_after.value_or(std::chrono::milliseconds{0}));
}

}  // namespace spillway::engine
