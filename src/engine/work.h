#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "job/job.h"
#include "queue/queue.h"

namespace spillway::engine {

/// What a queue message asks for.
enum class Act {
  kPlan,
  /// Process some of the chunks that wait, or finish the job once none is open. The message comes
  /// back as long as any are.
  kProcess,
  kFinish,
  kDiscard,
  kResume,  ///< Sends again what the job needs, unless it has moved, or is worked on.
};

struct Work {
  Act act = Act::kPlan;
  std::string job_id;

  bool operator==(const Work&) const = default;
};

/// The message body, `act job`.
std::string ToBody(const Work& work);
Result<Work> WorkFromBody(std::string_view body);

/// Sends messages for the work, in order, as one group a job, so that jobs take turns. `delay`
/// holds them back.
Result<> SendWork(store::Queue& queue, std::span<const Work> work,
                  std::chrono::milliseconds delay = {});

}  // namespace spillway::engine
