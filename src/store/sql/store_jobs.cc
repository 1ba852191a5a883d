#include <fmt/format.h>

#include "job/state_machine.h"
#include "store/sql/records.h"
#include "store/sql/sql_store.h"

namespace spillway::store::sql {
namespace {

using engine::Job;
using engine::JobPhase;
using engine::JobState;

Result<> ApplyPhase(Job& job, JobPhase to) {
  if (to == job.phase) return {};
  TRY(Require(engine::IsLegal(job.phase, to), job, "its phase only moves forward"));
  TRY(Require(to < JobPhase::kFinalizing || job.chunks_open() == 0, job,
              fmt::format("{} chunks are still open", job.chunks_open())));
  if (to == JobPhase::kCompleted) {
    const engine::Counts& counts = job.counts;
    TRY(Require(!job.cancel_requested_at, job, "was cancelled before its commit point"));
    TRY(Require(
        counts.Reconciled(), job,
        fmt::format("does not reconcile: {} planned, but {} written, {} excluded and {} failed",
                    counts.planned, counts.written, counts.excluded, counts.failed)));
  }
  job.phase = to;
  job.attempts = 1;
  job.failure.reset();
  return {};
}

/// The conditions that final states are tied to; the table's CHECKs say the same.
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
    default:
      return {};
  }
}

Result<> SaveDocuments(Session& session, JobRow& row, const JobUpdate& update) {
  if (!update.plan && !update.outcome) return {};
  if (update.plan) row.job.plan = *update.plan;
  if (update.outcome) row.job.outcome = *update.outcome;
  TRY(Query(session, "UPDATE job_documents SET plan = ?, outcome = ? WHERE job = ?", row.job.plan,
            row.job.outcome, row.number)
          .Run());
  return {};
}

/// The history names who asked for the cancellation, not who carried it out.
Result<> MoveToCancelled(Session& session, JobRow& row, Timestamp now) {
  std::string actor;
  std::string cause;
  {
    Query request(session, "SELECT cancel_actor, cancel_cause FROM jobs WHERE number = ?",
                  row.number);
    TRY(request.Next());
    actor = request.Text();
    cause = request.Text();
  }
  return Move(session, row, JobState::kCancelled, now, actor, cause);
}

Result<> ApplyState(Session& session, JobRow& row, JobState to, const JobUpdate& update,
                    Timestamp now) {
  TRY(RequireFinal(row.job, to));
  if (to == JobState::kSucceeded) row.job.failure.reset();
  if (to == JobState::kCancelled) {
    if (!update.failure) row.job.failure.reset();
    return MoveToCancelled(session, row, now);
  }
  return Move(session, row, to, now, update.actor, update.cause);
}

/// Removes the chunks that an earlier, longer plan has left, once the plan is complete.
Result<> CloseThePlan(Session& session, const JobRow& row) {
  TRY(Query(session, "DELETE FROM chunks WHERE job = ? AND chunk_index >= ?", row.number,
            row.job.chunks_total)
          .Run());
  Query chunks(session, "SELECT count(*) FROM chunks WHERE job = ?", row.number);
  TRY(chunks.Next());
  const int64_t there = chunks.Integer();
  return Require(
      there == row.job.chunks_total, row.job,
      fmt::format("{} chunks are planned, but {} are there", row.job.chunks_total, there));
}

}  // namespace

Result<Job> SqlStore::AcquireJob(std::string_view job_id, std::string_view owner,
                                 std::chrono::milliseconds duration) {
  if (owner.empty()) return Fail(ErrorCode::kInvalidArgument, "a lease needs an owner");
  return Write(Durability::kProcess, [&](Session& session) -> Result<Job> {
    JobRow row = TRY(HoldJob(session, job_id));
    Job& job = row.job;
    const Timestamp now = clock_.Now();
    TRY(Require(job.state == JobState::kProcessing, job,
                fmt::format("is {}", engine::Name(job.state))));
    TRY(Require(job.lease_owner.empty() || job.lease_owner == owner || job.lease_expires_at <= now,
                job, fmt::format("is leased to {}", job.lease_owner)));
    job.lease_owner = owner;
    job.lease_expires_at = now + duration;
    ++job.lease_token;
    ++job.attempts;
    job.updated_at = now;
    TRY(Save(session, row));
    return std::move(job);
  });
}

Result<Job> SqlStore::Update(const engine::Lease& lease, const JobUpdate& update) {
  const bool decides = update.state || update.phase == JobPhase::kCompleted;
  return Write(decides ? Durability::kDisk : Durability::kProcess,
               [&](Session& session) -> Result<Job> {
                 JobRow row = TRY(HoldJob(session, lease.job_id));
                 Job& job = row.job;
                 TRY(Require(lease.chunk == engine::Lease::kJob && !lease.owner.empty() &&
                                 job.lease_owner == lease.owner && job.lease_token == lease.token,
                             job, "its lease was lost"));
                 const Timestamp now = clock_.Now();
                 job.updated_at = now;
                 if (update.counts) job.counts = *update.counts;
                 if (update.planned) job.counts.planned = *update.planned;
                 if (update.bytes_planned) job.bytes_planned = *update.bytes_planned;
                 if (update.chunks_total) job.chunks_total = *update.chunks_total;
                 const bool was_planned = job.phase >= JobPhase::kProcessing;
                 if (update.phase) TRY(ApplyPhase(job, *update.phase));
                 if (update.failure) job.failure = update.failure;
                 if (!was_planned && job.phase >= JobPhase::kProcessing)
                   TRY(CloseThePlan(session, row));
                 if (update.release) {
                   if (update.phase) job.attempts = 0;
                   job.lease_owner.clear();
                   job.lease_expires_at = Timestamp();
                 }
                 TRY(SaveDocuments(session, row, update));
                 if (update.state) TRY(ApplyState(session, row, *update.state, update, now));
                 TRY(Save(session, row));
                 return std::move(job);
               });
}

Result<Job> SqlStore::RequestCancel(std::string_view job_id, std::string_view actor,
                                    std::string_view cause) {
  return Write(Durability::kDisk, [&](Session& session) -> Result<Job> {
    JobRow row = TRY(HoldJob(session, job_id));
    Job& job = row.job;
    TRY(Require(!engine::IsFinal(job.state), job,
                fmt::format("is {} already", engine::Name(job.state))));
    TRY(Require(job.phase != JobPhase::kCompleted, job,
                "its outcome is decided; it is too late to cancel"));
    if (job.cancel_requested_at) return std::move(job);
    const Timestamp now = clock_.Now();
    job.cancel_requested_at = job.updated_at = now;
    job.attempts = 0;
    TRY(Query(session,
              "UPDATE jobs SET cancel_requested_at = ?, cancel_actor = ?, cancel_cause = ? WHERE "
              "number = ?",
              now, actor, cause, row.number)
            .Run());
    if (job.state == JobState::kPending && job.phase < JobPhase::kProcessing) {
      TRY(Move(session, row, JobState::kCancelled, now, actor, cause));
    }
    TRY(Save(session, row));
    return std::move(job);
  });
}

Result<Job> SqlStore::Redrive(std::string_view job_id, std::string_view actor) {
  return Write(Durability::kDisk, [&](Session& session) -> Result<Job> {
    JobRow row = TRY(HoldJob(session, job_id));
    Job& job = row.job;
    TRY(Require(job.state == JobState::kFailed, job,
                fmt::format("is {}; only failed jobs can be redriven", engine::Name(job.state))));
    TRY(Require(job.started_at.has_value(), job, "never began; run the export again"));
    TRY(Require(!job.expiry, job, "what it had staged has expired; run the export again"));
    TRY(Move(session, row, JobState::kPending, clock_.Now(), actor, "redrive"));
    job.started_at = job.finished_at = std::nullopt;
    job.failure.reset();
    job.attempts = 0;
    if (job.phase != JobPhase::kCompleted) {
      if (job.chunks_total == 0) {
        TRY(Query(session, "DELETE FROM chunks WHERE job = ?", row.number).Run());
        job.phase = JobPhase::kInitializing;
        job.counts = {};
        job.bytes_planned = 0;
      } else {
        TRY(Query(session,
                  "UPDATE chunks SET state = 'pending', attempts = 0, not_before = 0 WHERE job = ? "
                  "AND state = 'dead' "
                  "AND state <> 'succeeded' AND state <> 'pending' AND result = ''",
                  row.number)
                .Run());
        job.phase = JobPhase::kProcessing;
        job.chunks_dead = 0;
      }
    }
    TRY(Save(session, row));
    if (job.phase == JobPhase::kInitializing) {
      TRY(SaveDocuments(session, row, {.plan = "", .outcome = ""}));
    }
    return std::move(job);
  });
}

}  // namespace spillway::store::sql
