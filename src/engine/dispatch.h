#pragma once

#include <cstdint>

#include "base/error.h"
#include "job/job.h"
#include "queue/queue.h"

namespace spillway::engine {

/// Sends the messages that a job in processing needs to get on from where its record stands, at
/// most `hints_max`. Messages that are under way already are doubled, which harms nothing.
Result<> Dispatch(store::Queue& queue, const Job& job, int64_t hints_max);

}  // namespace spillway::engine
