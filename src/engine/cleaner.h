#pragma once

#include <string_view>

#include "base/random.h"
#include "engine/act.h"

namespace spillway::engine {

/// E6. Ends a job that is to be cancelled: waits until nobody works on it any more, removes
/// everything that was staged for it, and records what was removed.
Result<Verdict> DiscardJob(Context& context, std::string_view job_id, Random& random);

/// Removes what workers that had lost their leases staged for jobs that were over, wherever this
/// process has staged anything. What belongs to failed jobs stays, for redrive. Returns the number
/// of such jobs.
Result<int64_t> RemoveLeftovers(Context& context);

}  // namespace spillway::engine
