#pragma once

#include "engine/act.h"

namespace spillway::engine {

/// E4. Gets everything going again that fell silent: lets waiting jobs in, and sends again what
/// stalled jobs need. Run on a schedule by every worker; needs no operator. Returns the number of
/// jobs dispatched.
Result<int64_t> Rescue(Context& context);

}  // namespace spillway::engine
