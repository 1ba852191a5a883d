#pragma once

#include "engine/act.h"

namespace spillway::engine {

/// E4. Admits waiting jobs, and sends again the messages that stalled jobs need, but for those that
/// only processes with another signing key may finish. Every worker runs it from time to time, so
/// no operator is needed. Returns the number of jobs dispatched.
Result<int64_t> Rescue(Context& context);

}  // namespace spillway::engine
