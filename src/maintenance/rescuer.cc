#include "maintenance/rescuer.h"

#include <cstdint>
#include <vector>

#include "base/log.h"
#include "engine/dispatch.h"

namespace spillway::engine {
namespace {

constexpr size_t kStalledMax = 100;
/// A job whose hints wait behind others' looks stalled. One more hint shows whether any was lost;
/// all of them again and again would bury the queue.
constexpr int64_t kHintsWhileBusy = 1;

}  // namespace

Result<int64_t> Rescue(Context& context) {
  const Timestamp now = context.clock.Now();
  const Timestamp silent_since = now - context.options.lease;
  // A job that was just requested is let in by its requester, whose queue may be its own.
  for (const std::string& group : TRY(context.store.WaitingGroups(silent_since))) {
    TRY(AdmitNext(context, group));
  }
  const std::vector<Job> stalled = TRY(context.store.Stalled(silent_since, kStalledMax));
  if (stalled.empty()) return 0;
  const bool queue_is_empty = TRY(context.queue.Depth()) == 0;
  for (const Job& job : stalled) {
    context.log.Warning("job stalled; sending its work again",
                        {{"job", job.id}, {"phase", Name(job.phase)}});
    TRY(Dispatch(context.queue, job, queue_is_empty ? context.options.hints_max : kHintsWhileBusy));
  }
  return static_cast<int64_t>(stalled.size());
}

}  // namespace spillway::engine
