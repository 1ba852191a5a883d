#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "engine/options.h"
#include "job/job.h"
#include "store/job_store.h"

namespace spillway::cli {

/// What of a job has failed and is tried again.
struct RetryNote {
  std::string line;  ///< Which attempt it was, when the next is, and why it failed.
  Timestamp next;    ///< By then, the next attempt has begun.
};

/// None where nothing waits for another attempt, as far as the job and its first chunks say, or no
/// longer than half a second.
Result<std::optional<RetryNote>> FindRetry(store::JobStore& store, const engine::Job& job,
                                           const engine::Options& options, Timestamp now);

}  // namespace spillway::cli
