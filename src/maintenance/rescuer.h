#pragma once

#include "engine/act.h"

namespace spillway::engine {

/// E4. Admits waiting jobs, and sends again the messages that stalled jobs need, but for those that
/// only processes with another signing key may finish. Every worker runs it from time to time, so
/// no operator is needed. Returns how many jobs seem to be stalled: where there are other messages,
/// theirs may only wait behind these, and a worker finds out.
Result<int64_t> Rescue(Context& context);

}  // namespace spillway::engine
