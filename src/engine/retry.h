#pragma once

#include <chrono>
#include <cstdint>

#include "base/error.h"
#include "base/random.h"
#include "engine/options.h"
#include "job/job.h"

namespace spillway::engine {

/// Whether a failed attempt, the `attempts`-th, is worth another one.
bool ShouldRetry(const Error& error, int64_t attempts, const Options& options);

/// The longest pause that Backoff gives.
std::chrono::milliseconds LongestPause(const Error& error, int64_t attempts,
                                       const Options& options);

/// The pause before the next attempt: base × 2^(attempts − 1), at most backoff_max, of which a
/// random half to whole ("equal jitter"); never shorter than the error's retry_after.
std::chrono::milliseconds Backoff(const Error& error, int64_t attempts, const Options& options,
                                  Random& random);

/// How long nothing may touch a job in processing whose work goes on: a lease; where an act of it
/// failed, the longest pause before the next attempt besides.
std::chrono::milliseconds LongestSilence(const Job& job, const Options& options);

}  // namespace spillway::engine
