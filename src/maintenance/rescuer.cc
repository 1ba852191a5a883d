#include "maintenance/rescuer.h"

#include <array>
#include <cstdint>
#include <vector>

#include "base/log.h"
#include "engine/dispatch.h"
#include "engine/retry.h"
#include "engine/work.h"

namespace spillway::engine {
namespace {

constexpr size_t kStalledMax = 100;

}  // namespace

Result<int64_t> Rescue(Context& context) {
  const Timestamp now = context.clock.Now();
  const Timestamp silent_since = now - context.options.lease;
  // A job that was just requested is admitted by its requester, who may have a queue of its own.
  for (const std::string& group : TRY(context.store.WaitingGroups(silent_since))) {
    TRY(AdmitNext(context, group));
  }
  const std::vector<Job> stalled = TRY(context.store.Stalled(silent_since, kStalledMax));
  if (stalled.empty()) return 0;
  int64_t asked = 0;
  const bool queue_is_empty = TRY(context.queue.Depth()) == 0;
  for (const Job& job : stalled) {
    if (now - job.updated_at <= LongestSilence(job, context.options)) continue;
    ++asked;
    if (queue_is_empty) {
      context.log.Warning("job stalled; sending its work again",
                          {{"job", job.id}, {"phase", Name(job.phase)}});
      TRY(Dispatch(context.queue, job, context.options.hints_max));
    } else {
      // Perhaps its hints only wait behind others. The worker that gets this message checks whether
      // they were lost.
      TRY(SendWork(context.queue, std::array{Work{.act = Act::kResume, .job_id = job.id}}));
    }
  }
  return asked;
}

}  // namespace spillway::engine
