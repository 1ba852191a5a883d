#include "engine/dispatch.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/work.h"

namespace spillway::engine {

Result<> Dispatch(store::Queue& queue, const Job& job, int64_t hints_max) {
  if (job.state != JobState::kProcessing) return {};
  Act act = Act::kFinish;
  if (job.cancel_requested_at.has_value()) {
    act = Act::kDiscard;
  } else if (job.phase < JobPhase::kProcessing) {
    act = Act::kPlan;
  } else if (job.phase == JobPhase::kProcessing && job.chunks_open() > 0) {
    const int64_t hints = std::min(job.chunks_open(), hints_max);
    return SendWork(queue, std::vector<Work>(static_cast<size_t>(hints),
                                             {.act = Act::kProcess, .job_id = job.id}));
  }
  return SendWork(queue, std::array{Work{.act = act, .job_id = job.id}});
}

}  // namespace spillway::engine
