#pragma once

#include <string_view>

#include "base/random.h"
#include "engine/act.h"

namespace spillway::engine {

/// Ends a job whose chunks are all settled. Reconciles what was written with what the source
/// counted; decides the outcome under the job's lease (phase kCompleted, the commit point); then
/// publishes: files, the signature, the manifest last. Any worker can complete a decided outcome,
/// and repeating that changes nothing: nothing has a final name before the commit point, and a
/// worker that lost its lease cannot pass it.
Result<Verdict> FinishJob(Context& context, std::string_view job_id, Random& random);

/// kConflict, with Error::elsewhere, where nothing is left of the job but to finish it and only
/// processes with another signing key may (ADR 25).
Result<> CheckMayFinish(Context& context, const Job& job);

}  // namespace spillway::engine
