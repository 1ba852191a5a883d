#include "store/memory/memory_store.h"

namespace spillway::store {

using engine::JobState;

Result<Fired> MemoryStore::Fire(const Firing& firing) {
  if (firing.after && firing.until <= *firing.after) {
    return Fail(ErrorCode::kInvalidArgument,
                "schedule " + firing.schedule + ": a firing only moves forward");
  }
  std::lock_guard lock(database_.mutex_);
  const auto found = database_.schedules_.find(firing.schedule);
  const bool is_new = found == database_.schedules_.end();
  if (firing.after.has_value() == is_new) return Fired{};
  if (!is_new && found->second.settled_until != *firing.after) return Fired{};

  Fired fired{.applied = true};
  auto& schedule = database_.schedules_[firing.schedule];
  schedule.settled_until = firing.until;
  if (firing.job) {
    fired.job = PutRun(*firing.job);
    if (firing.failure) {
      Entry& entry = *TRY(Find(fired.job->id));
      TRY(Move(entry, entry.job, JobState::kProcessing, "spillway", "its tick came"));
      TRY(Move(entry, entry.job, JobState::kFailed, "spillway", firing.failure->message));
      entry.job.failure = firing.failure;
      fired.job = entry.job;
    }
    schedule.last_tick = firing.until;
    schedule.last_job_id = fired.job->id;
  }
  return fired;
}

Result<std::vector<ScheduleRecord>> MemoryStore::Schedules() {
  std::lock_guard lock(database_.mutex_);
  std::vector<ScheduleRecord> records;
  for (const auto& [name, schedule] : database_.schedules_) {
    records.push_back({.name = name,
                       .settled_until = schedule.settled_until,
                       .last_tick = schedule.last_tick,
                       .last_job_id = schedule.last_job_id});
  }
  return records;
}

}  // namespace spillway::store
