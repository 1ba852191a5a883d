#pragma once

#include <cstdint>

#include "base/error.h"
#include "job/job.h"
#include "queue/queue.h"

namespace spillway::engine {

/// Sends the messages that a job in processing needs to go on from its recorded state, at most
/// `hints_max`. Messages that are under way already are sent twice, which does no harm.
Result<> Dispatch(store::Queue& queue, const Job& job, int64_t hints_max);

}  // namespace spillway::engine
