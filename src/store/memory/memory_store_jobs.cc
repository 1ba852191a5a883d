#include <algorithm>
#include <charconv>
#include <ranges>
#include <set>
#include <tuple>

#include "job/state_machine.h"
#include "store/memory/memory_store.h"

namespace spillway::store {
namespace {

using engine::Chunk;
using engine::ChunkState;
using engine::Job;
using engine::JobPhase;
using engine::JobState;

/// The actor of steps that no person asked for.
constexpr std::string_view kEngine = "spillway";

constexpr std::string_view kExpired = "what it had staged has expired; run the export again";

Result<> Require(bool holds, const Job& job, std::string_view refusal) {
  if (holds) return {};
  return Fail(ErrorCode::kConflict, "job " + job.id + ": " + std::string(refusal));
}

Result<> ApplyPhase(Job& job, JobPhase to) {
  if (to == job.phase) return {};
  TRY(Require(engine::IsLegal(job.phase, to), job, "its phase only moves forward"));
  TRY(Require(to < JobPhase::kFinalizing || job.chunks_open() == 0, job, "chunks are still open"));
  if (to == JobPhase::kCompleted) {
    TRY(Require(!job.cancel_requested_at, job, "was cancelled before its commit point"));
  }
  job.phase = to;
  job.attempts = 1;
  job.failure.reset();
  return {};
}

Result<> RequireFinal(const Job& job, JobState to) {
  switch (to) {
    case JobState::kSucceeded:
      return Require(job.phase == JobPhase::kCompleted, job,
                     "cannot succeed before its outcome is decided");
    case JobState::kFailed:
      TRY(Require(!job.cancel_requested_at, job, "is to be cancelled"));
      return Require(job.failure.has_value(), job, "cannot fail without a cause");
    case JobState::kCancelled:
      return Require(job.cancel_requested_at.has_value(), job, "nobody asked to cancel it");
    case JobState::kPending:
    case JobState::kProcessing:
      break;
  }
  return {};
}

/// Removes the chunks that an earlier, longer plan has left, once the plan is complete.
Result<> CloseThePlan(std::map<int64_t, Chunk>& chunks, const Job& job) {
  const auto beyond = chunks.lower_bound(job.chunks_total);
  TRY(Require(std::distance(chunks.begin(), beyond) == job.chunks_total, job,
              "not every planned chunk is there"));
  chunks.erase(beyond, chunks.end());
  return {};
}

/// `<created_at>.<id>` of the last job of a page.
Result<std::tuple<Timestamp, std::string>> ReadCursor(std::string_view text) {
  if (text.empty()) return std::tuple(Timestamp::max(), std::string());
  int64_t created_at = 0;
  const char* end = text.data() + text.size();
  const auto [dot, error] = std::from_chars(text.data(), end, created_at);
  if (error != std::errc() || dot == end || *dot != '.') {
    return Fail(ErrorCode::kInvalidArgument,
                "the cursor does not come from a page of jobs; start without one");
  }
  return std::tuple(Timestamp(std::chrono::microseconds(created_at)), std::string(dot + 1, end));
}

bool Matches(const JobFilter& filter, const Job& job) {
  return (!filter.export_name || job.export_name == *filter.export_name) &&
         (!filter.tenant || job.tenant == *filter.tenant) &&
         (!filter.state || job.state == *filter.state);
}

}  // namespace

Result<MemoryStore::Entry*> MemoryStore::Find(std::string_view job_id) {
  const auto found = database_.jobs_by_id_.find(job_id);
  if (found == database_.jobs_by_id_.end()) {
    return Fail(ErrorCode::kNotFound, "there is no job " + std::string(job_id));
  }
  return found->second;
}

/// Changes `job`, the copy in hand, and records the step.
Result<> MemoryStore::Move(Entry& entry, Job& job, JobState to, std::string_view actor,
                           std::string_view cause) {
  TRY(Require(
      engine::IsLegal(job.state, to), job,
      "is " + std::string(Name(job.state)) + " and cannot become " + std::string(Name(to))));
  const Timestamp now = clock_.Now();
  entry.history.push_back({.job_id = job.id,
                           .sequence = static_cast<int64_t>(entry.history.size()) + 1,
                           .from = job.state,
                           .to = to,
                           .at = now,
                           .actor = std::string(actor),
                           .cause = std::string(cause)});
  job.state = to;
  job.updated_at = now;
  if (engine::IsFinal(to)) {
    job.finished_at = now;
    job.lease_owner.clear();
    job.lease_expires_at = Timestamp();
  }
  return {};
}

const Job* MemoryStore::Latest(std::string_view task_id) {
  const Job* latest = nullptr;
  for (const Entry& entry : database_.jobs_) {
    if (entry.job.task_id == task_id) latest = &entry.job;
  }
  return latest;
}

Result<Created> MemoryStore::Create(const Job& job, bool fresh) {
  if (job.id.empty()) return Fail(ErrorCode::kInvalidArgument, "a job needs an id");
  std::lock_guard lock(database_.mutex_);
  const Job* latest = Latest(job.task_id);
  if (latest != nullptr && latest->stands() && !fresh)
    return Created{.job = *latest, .created = false};
  return Created{.job = PutRun(job), .created = true};
}

Job MemoryStore::PutRun(const Job& job) {
  const Job* latest = Latest(job.task_id);
  Job made{.task_id = job.task_id,
           .run = latest == nullptr ? 1 : latest->run + 1,
           .export_name = job.export_name,
           .recipe = job.recipe,
           .tenant = job.tenant,
           .group = job.group,
           .parameters = job.parameters,
           .requested_by = job.requested_by};
  made.id = job.id + "-" + std::to_string(made.run);
  made.created_at = made.updated_at = clock_.Now();
  Entry& entry = database_.jobs_.emplace_back(Entry{.job = made});
  entry.history.push_back({.job_id = made.id,
                           .sequence = 1,
                           .from = std::nullopt,
                           .to = JobState::kPending,
                           .at = made.created_at,
                           .actor = made.requested_by,
                           .cause = "requested"});
  database_.jobs_by_id_[made.id] = &entry;
  return made;
}

Result<Job> MemoryStore::Get(std::string_view job_id) {
  std::lock_guard lock(database_.mutex_);
  return TRY(Find(job_id))->job;
}

Result<JobPage> MemoryStore::List(const JobFilter& filter, std::string_view cursor, size_t limit) {
  const auto page_end = TRY(ReadCursor(cursor));
  std::lock_guard lock(database_.mutex_);
  std::vector<const Job*> matching;
  for (const Entry& entry : database_.jobs_) {
    if (Matches(filter, entry.job) && std::tie(entry.job.created_at, entry.job.id) < page_end) {
      matching.push_back(&entry.job);
    }
  }
  std::ranges::sort(matching, std::greater(),
                    [](const Job* job) { return std::tie(job->created_at, job->id); });
  JobPage page;
  for (const Job* job : matching) {
    if (page.jobs.size() == limit) break;
    page.jobs.push_back(*job);
  }
  if (limit > 0 && matching.size() > limit) {
    const Job& last = page.jobs.back();
    page.next_cursor = std::to_string(last.created_at.time_since_epoch().count()) + "." + last.id;
  }
  return page;
}

Result<std::vector<engine::Transition>> MemoryStore::History(std::string_view job_id) {
  std::lock_guard lock(database_.mutex_);
  return TRY(Find(job_id))->history;
}

Result<std::optional<Job>> MemoryStore::Admit(std::string_view group, int64_t parallel_max) {
  std::lock_guard lock(database_.mutex_);
  struct InFlight {
    int64_t bytes = 0;
    int64_t jobs = 0;
    auto operator<=>(const InFlight&) const = default;
  };
  std::map<std::string_view, InFlight> of_tenant;
  int64_t processing = 0;
  for (const Entry& entry : database_.jobs_) {
    if (entry.job.group != group || entry.job.state != JobState::kProcessing) continue;
    ++processing;
    InFlight& in_flight = of_tenant[entry.job.tenant];
    in_flight.bytes += entry.job.bytes_planned;
    ++in_flight.jobs;
  }
  Entry* next = nullptr;
  for (Entry& entry : database_.jobs_) {
    if (entry.job.group != group || entry.job.state != JobState::kPending) continue;
    if (next == nullptr || of_tenant[entry.job.tenant] < of_tenant[next->job.tenant]) next = &entry;
  }
  if (next == nullptr || processing >= parallel_max) return std::nullopt;
  TRY(Move(*next, next->job, JobState::kProcessing, kEngine, "admitted"));
  next->job.started_at = next->job.updated_at;
  return next->job;
}

Result<Job> MemoryStore::AcquireJob(std::string_view job_id, std::string_view owner,
                                    std::chrono::milliseconds duration) {
  if (owner.empty()) return Fail(ErrorCode::kInvalidArgument, "a lease needs an owner");
  std::lock_guard lock(database_.mutex_);
  Job& job = TRY(Find(job_id))->job;
  const Timestamp now = clock_.Now();
  TRY(Require(job.state == JobState::kProcessing, job, "is " + std::string(Name(job.state))));
  TRY(Require(job.lease_owner.empty() || job.lease_owner == owner || job.lease_expires_at <= now,
              job, "is leased to " + job.lease_owner));
  job.lease_owner = owner;
  job.lease_expires_at = now + duration;
  ++job.lease_token;
  ++job.attempts;
  job.updated_at = now;
  return job;
}

Result<Job> MemoryStore::Update(const engine::Lease& lease, const JobUpdate& update) {
  std::lock_guard lock(database_.mutex_);
  Entry& entry = *TRY(Find(lease.job_id));
  Job job = entry.job;
  TRY(Require(lease.chunk == engine::Lease::kJob && !lease.owner.empty() &&
                  job.lease_owner == lease.owner && job.lease_token == lease.token,
              job, "its lease was lost"));
  job.updated_at = clock_.Now();
  if (update.counts) job.counts = *update.counts;
  if (update.planned) job.counts.planned = *update.planned;
  if (update.bytes_planned) job.bytes_planned = *update.bytes_planned;
  if (update.chunks_total) job.chunks_total = *update.chunks_total;
  if (update.plan) job.plan = *update.plan;
  if (update.outcome) job.outcome = *update.outcome;
  const bool was_planned = job.phase >= JobPhase::kProcessing;
  if (update.phase) TRY(ApplyPhase(job, *update.phase));
  if (update.failure) job.failure = update.failure;
  TRY(Require(job.phase != JobPhase::kCompleted || job.counts.Reconciled(), job,
              "does not reconcile"));
  if (!was_planned && job.phase >= JobPhase::kProcessing) TRY(CloseThePlan(entry.chunks, job));
  if (update.release) {
    if (update.phase) job.attempts = 0;
    job.lease_owner.clear();
    job.lease_expires_at = Timestamp();
  }
  if (update.state) {
    TRY(RequireFinal(job, *update.state));
    const bool cancelled = *update.state == JobState::kCancelled;
    TRY(Move(entry, job, *update.state, cancelled ? entry.cancel_actor : update.actor,
             cancelled ? entry.cancel_cause : update.cause));
    if (*update.state == JobState::kSucceeded || (cancelled && !update.failure))
      job.failure.reset();
  }
  entry.job = job;
  return job;
}

Result<Job> MemoryStore::RequestCancel(std::string_view job_id, std::string_view actor,
                                       std::string_view cause) {
  std::lock_guard lock(database_.mutex_);
  Entry& entry = *TRY(Find(job_id));
  Job& job = entry.job;
  TRY(Require(!engine::IsFinal(job.state), job, "is " + std::string(Name(job.state)) + " already"));
  TRY(Require(job.phase != JobPhase::kCompleted, job,
              "its outcome is decided; it is too late to cancel"));
  if (job.cancel_requested_at) return job;
  job.cancel_requested_at = job.updated_at = clock_.Now();
  job.attempts = 0;
  entry.cancel_actor = actor;
  entry.cancel_cause = cause;
  if (job.state == JobState::kPending && job.phase < JobPhase::kProcessing) {
    TRY(Move(entry, job, JobState::kCancelled, actor, cause));
  }
  return job;
}

Result<Job> MemoryStore::Redrive(std::string_view job_id, std::string_view actor) {
  std::lock_guard lock(database_.mutex_);
  Entry& entry = *TRY(Find(job_id));
  Job& job = entry.job;
  TRY(Require(job.state == JobState::kFailed, job,
              "is " + std::string(Name(job.state)) + "; only failed jobs can be redriven"));
  TRY(Require(job.started_at.has_value(), job, "never began; run the export again"));
  TRY(Require(!job.expiry, job, kExpired));
  TRY(Move(entry, job, JobState::kPending, actor, "redrive"));
  job.started_at = job.finished_at = job.cancel_requested_at = std::nullopt;
  job.failure.reset();
  job.attempts = 0;
  if (job.phase == JobPhase::kCompleted) return job;
  if (job.chunks_total == 0) {
    entry.chunks.clear();
    job.phase = JobPhase::kInitializing;
    job.counts = {};
    job.bytes_planned = 0;
    job.plan.clear();
    job.outcome.clear();
    return job;
  }
  for (auto& [index, chunk] : entry.chunks) {
    if (chunk.state != ChunkState::kDead) continue;
    chunk.state = ChunkState::kPending;
    chunk.attempts = 0;
    chunk.not_before = Timestamp();
  }
  job.phase = JobPhase::kProcessing;
  job.chunks_dead = 0;
  return job;
}

Result<int64_t> MemoryStore::CountAhead(std::string_view job_id) {
  std::lock_guard lock(database_.mutex_);
  const Entry* own = TRY(Find(job_id));
  if (own->job.state != JobState::kPending) return 0;
  int64_t ahead = 0;
  for (const Entry& entry : database_.jobs_) {
    if (&entry == own) break;
    ahead += entry.job.state == JobState::kPending && entry.job.group == own->job.group ? 1 : 0;
  }
  return ahead;
}

Result<std::vector<Job>> MemoryStore::Stalled(const StalledFilter& filter, size_t limit) {
  std::lock_guard lock(database_.mutex_);
  const Timestamp now = clock_.Now();
  const auto place = [](const auto& job) { return std::tie(job.updated_at, job.id); };
  std::vector<Job> stalled;
  const auto is_due = [now](const Chunk& chunk) {
    return (chunk.state == ChunkState::kPending && chunk.not_before <= now) ||
           (chunk.state == ChunkState::kLeased && chunk.lease_expires_at <= now);
  };
  for (const Entry& entry : database_.jobs_) {
    const Job& job = entry.job;
    if (job.state != JobState::kProcessing || job.updated_at >= filter.before) continue;
    if (place(job) <= place(filter.after)) continue;
    if (!job.lease_owner.empty() && job.lease_expires_at > now) continue;
    const bool waits = job.phase == JobPhase::kProcessing && job.chunks_open() > 0 &&
                       !job.cancel_requested_at.has_value() &&
                       std::ranges::none_of(entry.chunks | std::views::values, is_due);
    if (!waits) stalled.push_back(job);
  }
  std::ranges::sort(stalled, {}, place);
  if (stalled.size() > limit) stalled.resize(limit);
  return stalled;
}

Result<std::vector<std::string>> MemoryStore::WaitingGroups(Timestamp before) {
  std::lock_guard lock(database_.mutex_);
  std::set<std::string> groups;
  for (const Entry& entry : database_.jobs_) {
    if (entry.job.state == JobState::kPending && entry.job.updated_at < before) {
      groups.insert(entry.job.group);
    }
  }
  return std::vector<std::string>(groups.begin(), groups.end());
}

Result<std::string> MemoryStore::SigningKeyId() {
  std::lock_guard lock(database_.mutex_);
  return database_.signing_key_id_;
}

Result<std::string> MemoryStore::RecordSigningKey(std::string_view known, std::string_view key_id) {
  if (key_id.empty()) return Fail(ErrorCode::kInvalidArgument, "a signing key needs an id");
  std::lock_guard lock(database_.mutex_);
  if (database_.signing_key_id_ == known) database_.signing_key_id_ = key_id;
  return database_.signing_key_id_;
}

}  // namespace spillway::store
