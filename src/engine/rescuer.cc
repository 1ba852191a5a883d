#include "engine/rescuer.h"

#include <vector>

#include "base/log.h"
#include "engine/dispatch.h"

namespace spillway::engine {
namespace {

constexpr size_t kStalledMax = 100;

}  // namespace

Result<int64_t> Rescue(Context& context) {
  for (const std::string& group : TRY(context.store.WaitingGroups()))
    TRY(AdmitNext(context, group));
  const Timestamp now = context.clock.Now();
  const std::vector<Job> stalled =
      TRY(context.store.Stalled(now - context.options.lease, kStalledMax));
  for (const Job& job : stalled) {
    context.log.Warning("job stalled; sending its work anew",
                        {{"job", job.id}, {"phase", Name(job.phase)}});
    TRY(Dispatch(context.store, context.queue, job, now));
  }
  return static_cast<int64_t>(stalled.size());
}

}  // namespace spillway::engine
