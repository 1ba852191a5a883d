#pragma once

#include <string_view>

#include "base/random.h"
#include "engine/act.h"

namespace spillway::engine {

/// E6. Ends a job that is to be cancelled: waits until nobody works on it any more, removes
/// everything that was staged for it, and records what was removed. If something still cannot be
/// removed after the usual attempts, the job is cancelled all the same, with `failure`, and its
/// receipt names what remains.
Result<Verdict> DiscardJob(Context& context, std::string_view job_id, Random& random);

}  // namespace spillway::engine
