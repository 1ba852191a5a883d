#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "job/job.h"

namespace spillway::store {

/// The contents of stores and queues in memory. Must outlive them, as a disk outlives the processes
/// that write to it. Thread-safe.
class MemoryDatabase {
 private:
  friend class MemoryStore;
  friend class MemoryQueue;

  /// A job with all that belongs to it.
  struct JobEntry {
    engine::Job job;
    std::string cancel_actor;
    std::string cancel_cause;
    std::vector<engine::Transition> history;
    std::map<int64_t, engine::Chunk> chunks;
  };

  struct MessageEntry {
    std::string group;
    std::string body;
    int64_t turn = 0;  ///< Lower ones are given out first.
    Timestamp visible_at;
    int64_t receive_count = 0;
  };

  struct ScheduleEntry {
    Timestamp settled_until;
    std::optional<Timestamp> last_tick;
    std::string last_job_id;
  };

  std::mutex mutex_;
  std::map<std::string, ScheduleEntry, std::less<>> schedules_;
  std::deque<JobEntry> jobs_;  ///< In the order of their creation.
  std::map<std::string, JobEntry*, std::less<>> jobs_by_id_;
  std::map<int64_t, MessageEntry> messages_;
  int64_t messages_sent_ = 0;
  std::string signing_key_id_;
};

}  // namespace spillway::store
