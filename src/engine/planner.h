#pragma once

#include <string_view>

#include "base/random.h"
#include "engine/act.h"

namespace spillway::engine {

/// Has the recipe plan the job, records its chunks and sends them out.
Result<Verdict> PlanJob(Context& context, std::string_view job_id, Random& random);

}  // namespace spillway::engine
