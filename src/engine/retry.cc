#include "engine/retry.h"

#include <algorithm>

namespace spillway::engine {

bool ShouldRetry(const Error& error, int64_t attempts, const Options& options) {
  return error.retryable && attempts < options.attempts_max;
}

namespace {

std::chrono::milliseconds WholePause(int64_t attempts, const Options& options) {
  const int64_t doublings = std::clamp<int64_t>(attempts - 1, 0, 30);
  return std::min(options.backoff_base * (int64_t{1} << doublings), options.backoff_max);
}

}  // namespace

std::chrono::milliseconds LongestPause(const Error& error, int64_t attempts,
                                       const Options& options) {
  return std::max(WholePause(attempts, options),
                  error.retry_after.value_or(std::chrono::milliseconds{0}));
}

std::chrono::milliseconds Backoff(const Error& error, int64_t attempts, const Options& options,
                                  Random& random) {
  const auto whole = WholePause(attempts, options);
  const auto half = whole / 2;
  const std::chrono::milliseconds pause =
      half + std::chrono::milliseconds(random.Below(static_cast<uint64_t>(half.count()) + 1));
  return std::max(pause, error.retry_after.value_or(std::chrono::milliseconds{0}));
}

std::chrono::milliseconds LongestSilence(const Job& job, const Options& options) {
  if (!job.failure.has_value()) return options.lease;
  return options.lease + LongestPause(*job.failure, job.attempts, options);
}

}  // namespace spillway::engine
