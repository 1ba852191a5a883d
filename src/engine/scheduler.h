#pragma once

#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "engine/options.h"
#include "queue/queue.h"
#include "store/job_store.h"

namespace spillway::engine {

/// E3. Lets waiting jobs of the group in, as many as may run at a time, and sends out what they
/// need first.
Result<> AdmitNext(store::JobStore& store, store::Queue& queue, std::string_view group,
                   const Options& options);

}  // namespace spillway::engine
