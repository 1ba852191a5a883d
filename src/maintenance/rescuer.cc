#include "maintenance/rescuer.h"

#include <array>
#include <cstdint>
#include <vector>

#include "base/log.h"
#include "engine/dispatch.h"
#include "engine/finisher.h"
#include "engine/retry.h"
#include "engine/work.h"

namespace spillway::engine {
namespace {

constexpr size_t kPage = 100;

/// False: only processes with another signing key may do what is left of the job.
Result<bool> MayFinish(Context& context, const Job& job) {
  const Result<> may = CheckMayFinish(context, job);
  if (!may.has_value() && !may.error().elsewhere) return std::unexpected(may.error());
  return may.has_value();
}

}  // namespace

Result<int64_t> Rescue(Context& context) {
  const Timestamp now = context.clock.Now();
  const Timestamp silent_since = now - context.options.lease;
  // A job that was just requested is admitted by its requester, who may have a queue of its own.
  for (const std::string& group : TRY(context.store.WaitingGroups(silent_since))) {
    TRY(AdmitNext(context, group));
  }
  store::StalledFilter filter{.before = silent_since};
  std::vector<Job> stalled = TRY(context.store.Stalled(filter, kPage));
  if (stalled.empty()) return 0;
  int64_t asked = 0;
  const bool queue_is_empty = TRY(context.queue.Depth()) == 0;
  while (!stalled.empty()) {
    for (const Job& job : stalled) {
      if (now - job.updated_at <= LongestSilence(job, context.options)) continue;
      // Those that may finish it have rescuers of their own.
      if (!TRY(MayFinish(context, job))) continue;
      ++asked;
      if (queue_is_empty) {
        context.log.Warning("job stalled; sending its work again",
                            {{"job", job.id}, {"phase", Name(job.phase)}});
        TRY(Dispatch(context.queue, job, context.options.hints_max));
      } else {
        // Perhaps its hints only wait behind others. The worker that gets this message checks
        // whether they were lost.
        TRY(SendWork(context.queue, std::array{Work{.act = Act::kResume, .job_id = job.id}}));
      }
    }
    filter.after = {.updated_at = stalled.back().updated_at, .id = stalled.back().id};
    stalled = TRY(context.store.Stalled(filter, kPage));
  }
  return asked;
}

}  // namespace spillway::engine
