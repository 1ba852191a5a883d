#include "engine/scheduler.h"

#include <optional>

#include "engine/dispatch.h"

namespace spillway::engine {

Result<> AdmitNext(store::JobStore& store, store::Queue& queue, std::string_view group,
                   const Options& options, Timestamp now) {
  while (const std::optional<Job> admitted = TRY(store.Admit(group, options.ParallelMax(group)))) {
    TRY(Dispatch(store, queue, *admitted, now));
  }
  return {};
}

}  // namespace spillway::engine
