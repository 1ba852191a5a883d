#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "job/job.h"
#include "store/job_store.h"

namespace spillway::engine {

/// E7: how far a job is, as it is shown to people.
struct Progress {
  int64_t rows_done = 0;   ///< Written, excluded or failed; and what chunks under way have told.
  int64_t rows_total = 0;  ///< 0 until the job is planned.
  int64_t bytes = 0;       ///< Written, so too.
  int64_t chunks_done = 0;
  int64_t chunks_total = 0;
  std::optional<int64_t> queue_position;          ///< Of a pending job, by age within its group.
  std::optional<double> rows_per_second;          ///< Since the start.
  std::optional<std::chrono::seconds> remaining;  ///< At that rate, of a job that is processed.
};

/// Errors as the store's.
Result<Progress> ProgressOf(store::JobStore& store, const Job& job, Timestamp now);

}  // namespace spillway::engine
