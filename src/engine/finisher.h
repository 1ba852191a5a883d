#pragma once

#include <string_view>

#include "base/random.h"
#include "engine/act.h"

namespace spillway::engine {

/// Brings a job whose chunks are all settled to its end. Reconciles what was written with what the
/// source counted; decides the outcome under the job's lease (phase kCompleted, the commit point);
/// then publishes: files, the signature, the manifest last. What was decided is carried through by
/// whoever comes, and doing it again changes nothing: nothing has a final name before the commit
/// point, and a worker that lost its lease cannot pass it.
Result<Verdict> FinishJob(Context& context, std::string_view job_id, Random& random);

}  // namespace spillway::engine
