#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/error.h"
#include "job/job.h"
#include "queue/queue.h"
#include "store/job_store.h"

namespace spillway::engine {

/// Sends the messages that a job in processing needs to get on from where its records stand.
/// Messages that are under way already are doubled, which harms nothing.
Result<> Dispatch(store::JobStore& store, store::Queue& queue, const Job& job, Timestamp now,
                  size_t chunks_max = SIZE_MAX);

}  // namespace spillway::engine
