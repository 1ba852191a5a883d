#include "engine/scheduler.h"

#include <optional>

#include "engine/dispatch.h"

namespace spillway::engine {

Result<> AdmitNext(store::JobStore& store, store::Queue& queue, std::string_view group,
                   const Options& options) {
  while (const std::optional<Job> admitted = TRY(store.Admit(group, options.ParallelMax(group)))) {
    TRY(Dispatch(queue, *admitted, options.hints_max));
  }
  return {};
}

}  // namespace spillway::engine
