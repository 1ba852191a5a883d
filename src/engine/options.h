#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "job/job.h"

namespace spillway::engine {

/// E11. How long a job keeps its files from its end on; absent: for ever.
struct Retention {
  std::optional<std::chrono::milliseconds> published;   ///< Of one that succeeded.
  std::optional<std::chrono::milliseconds> redrivable;  ///< Of one that failed: what it staged.
};

/// How the engine runs jobs.
struct Options {
  std::chrono::milliseconds lease{
      30'000};  ///< After this, work of a worker that has stopped renewing is taken over.
  std::chrono::milliseconds heartbeat{200};  ///< How often cancellations are looked for.
  std::chrono::milliseconds backoff_base{1'000};
  std::chrono::milliseconds backoff_max{60'000};
  std::chrono::milliseconds idle_max{
      250};                  ///< The longest pause between two looks into an empty queue.
  int64_t attempts_max = 3;  ///< E5, for transient errors.
  /// How many messages of one job are in the queue at a time. So many workers can work on the job
  /// at once, each on a batch of its chunks.
  int64_t hints_max = 64;
  int64_t parallel_max = 3;  ///< E3, jobs of a group at a time.
  std::map<std::string, int64_t, std::less<>> parallel_max_of_group;
  std::map<std::string, Retention, std::less<>> retention_of_export;
  /// Of a chunk's result in its record; longer ones are put into an object. Lower in tests only.
  size_t result_bytes_max = kChunkFieldBytesMax;
  size_t pending_bytes_max =
      32 << 20;  ///< What a part may hold in memory while it waits for its turn.

  int64_t ParallelMax(std::string_view group) const {
    auto found = parallel_max_of_group.find(group);
    return found == parallel_max_of_group.end() ? parallel_max : found->second;
  }
};

}  // namespace spillway::engine
