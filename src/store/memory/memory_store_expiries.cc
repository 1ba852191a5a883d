#include <algorithm>
#include <tuple>

#include "store/memory/memory_store.h"

namespace spillway::store {

using engine::Job;

Result<std::vector<Job>> MemoryStore::Expirable(const ExpiryFilter& filter, size_t limit) {
  std::lock_guard lock(database_.mutex_);
  std::vector<Job> expirable;
  const auto place_of = [](const Job& job) { return std::tie(*job.finished_at, job.id); };
  for (const Entry& entry : database_.jobs_) {
    const Job& job = entry.job;
    const bool ended = job.expiry && job.expiry->ended_at;
    const bool began = job.state != engine::JobState::kFailed || job.started_at.has_value();
    const bool in_hands = job.expiry && job.expiry->begun_at >= filter.begun_before;
    if (job.export_name == filter.export_name && job.state == filter.state && job.finished_at &&
        *job.finished_at < filter.ended_before && began && !ended && !in_hands &&
        place_of(job) > std::tie(filter.after.finished_at, filter.after.id)) {
      expirable.push_back(job);
    }
  }
  std::ranges::sort(expirable, {}, place_of);
  if (expirable.size() > limit) expirable.resize(limit);
  return expirable;
}

Result<Job> MemoryStore::BeginExpiry(const Job& seen, int64_t objects, int64_t bytes) {
  std::lock_guard lock(database_.mutex_);
  Job& job = TRY(Find(seen.id))->job;
  const auto begun_at = [](const Job& of) {
    return of.expiry ? std::optional(of.expiry->begun_at) : std::nullopt;
  };
  if (!engine::IsFinal(job.state) || job.state != seen.state ||
      job.finished_at != seen.finished_at || begun_at(job) != begun_at(seen) ||
      (job.expiry && job.expiry->ended_at)) {
    return Fail(ErrorCode::kConflict,
                "job " + job.id + ": has changed meanwhile; it does not expire");
  }
  if (!job.expiry) job.expiry = {.objects = objects, .bytes = bytes};
  job.expiry->begun_at = clock_.Now();
  return job;
}

Result<Job> MemoryStore::EndExpiry(std::string_view job_id) {
  std::lock_guard lock(database_.mutex_);
  Job& job = TRY(Find(job_id))->job;
  if (!job.expiry) return Fail(ErrorCode::kConflict, "job " + job.id + ": does not expire");
  if (!job.expiry->ended_at) job.expiry->ended_at = clock_.Now();
  return job;
}

}  // namespace spillway::store
