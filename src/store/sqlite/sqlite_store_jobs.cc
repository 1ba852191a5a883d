#include <charconv>

#include <fmt/format.h>

#include "engine/state_machine.h"
#include "store/sqlite/records.h"
#include "store/sqlite/sqlite_store.h"

namespace spillway::store {
namespace {

using engine::Job;
using engine::JobPhase;
using engine::JobState;

/// The actor of what no person asked for.
constexpr std::string_view kEngine = "spillway";

/// Writes everything about a job that may change, except its documents.
Result<> Save(Connection& connection, const JobRow& row) {
  const Job& job = row.job;
  const FailureColumns failure(job.failure);
  TRY(Query(
          connection,
          "UPDATE jobs SET state = ?, phase = ?, updated_at = ?, started_at = ?, finished_at = ?, "
          "cancel_requested_at = ?, chunks_total = ?, chunks_succeeded = ?, chunks_dead = ?, "
          "planned = ?, "
          "written = ?, excluded = ?, failed = ?, bytes = ?, attempts = ?, failure_code = ?, "
          "failure_message = ?, "
          "failure_retryable = ?, failure_retry_after_ms = ?, lease_owner = ?, lease_token = ?, "
          "lease_expires_at = ? WHERE number = ?",
          engine::Name(job.state), engine::Name(job.phase), job.updated_at, job.started_at,
          job.finished_at, job.cancel_requested_at, job.chunks_total, job.chunks_succeeded,
          job.chunks_dead, job.counts.planned, job.counts.written, job.counts.excluded,
          job.counts.failed, job.counts.bytes, job.attempts, failure.code, failure.message,
          failure.retryable, failure.retry_after_ms, job.lease_owner, job.lease_token,
          job.lease_expires_at, row.number)
          .Run());
  return {};
}

/// Moves the job in memory, and records the step.
Result<> Move(Connection& connection, JobRow& row, JobState to, Timestamp now,
              std::string_view actor, std::string_view cause) {
  Job& job = row.job;
  if (!engine::IsLegal(job.state, to)) {
    return Fail(ErrorCode::kConflict, fmt::format("job {} is {} and cannot become {}", job.id,
                                                  engine::Name(job.state), engine::Name(to)));
  }
  TRY(Record(connection, row.number, job.state, to, now, actor, cause));
  job.state = to;
  job.updated_at = now;
  if (engine::IsFinal(to)) {
    job.finished_at = now;
    job.lease_owner.clear();
    job.lease_expires_at = Timestamp();
  }
  return {};
}

Result<> Require(bool holds, const Job& job, std::string_view refusal) {
  if (holds) return {};
  return Fail(ErrorCode::kConflict, fmt::format("job {}: {}", job.id, refusal));
}

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
  job.attempts = 0;
  return {};
}

/// The conditions that final states are tied to; the table's CHECKs say the same.
Result<> RequireFinal(const Job& job, JobState to) {
  switch (to) {
    case JobState::kSucceeded:
      return Require(job.phase == JobPhase::kCompleted, job,
                     "cannot succeed before its outcome is decided");
    case JobState::kFailed:
      return Require(job.failure.has_value(), job, "cannot fail without a cause");
    case JobState::kCancelled:
      return Require(job.cancel_requested_at.has_value(), job, "nobody asked to cancel it");
    default:
      return {};
  }
}

Result<> SaveDocuments(Connection& connection, JobRow& row, const JobUpdate& update) {
  if (!update.plan && !update.outcome) return {};
  if (update.plan) row.job.plan = *update.plan;
  if (update.outcome) row.job.outcome = *update.outcome;
  TRY(Query(connection, "UPDATE job_documents SET plan = ?, outcome = ? WHERE job = ?",
            row.job.plan, row.job.outcome, row.number)
          .Run());
  return {};
}

/// Who asked for the cancellation stands in the history, not who carried it out.
Result<> MoveToCancelled(Connection& connection, JobRow& row, Timestamp now) {
  std::string actor;
  std::string cause;
  {
    Query request(connection, "SELECT cancel_actor, cancel_cause FROM jobs WHERE number = ?",
                  row.number);
    TRY(request.Next());
    actor = request.Text();
    cause = request.Text();
  }
  return Move(connection, row, JobState::kCancelled, now, actor, cause);
}

Result<> ApplyState(Connection& connection, JobRow& row, JobState to, const JobUpdate& update,
                    Timestamp now) {
  TRY(RequireFinal(row.job, to));
  if (to == JobState::kSucceeded) row.job.failure.reset();
  if (to == JobState::kCancelled) return MoveToCancelled(connection, row, now);
  return Move(connection, row, to, now, update.actor, update.cause);
}

/// The plan is whole: what an earlier, longer one left behind goes away.
Result<> CloseThePlan(Connection& connection, const JobRow& row) {
  TRY(Query(connection, "DELETE FROM chunks WHERE job = ? AND chunk_index >= ?", row.number,
            row.job.chunks_total)
          .Run());
  Query chunks(connection, "SELECT count(*) FROM chunks WHERE job = ?", row.number);
  TRY(chunks.Next());
  const int64_t there = chunks.Integer();
  return Require(
      there == row.job.chunks_total, row.job,
      fmt::format("{} chunks are planned, but {} are there", row.job.chunks_total, there));
}

/// `<created_at>.<id>` of the last job of a page.
struct Cursor {
  Timestamp created_at = Timestamp::max();
  std::string id;
};

Result<Cursor> ReadCursor(std::string_view text) {
  Cursor cursor;
  if (text.empty()) return cursor;
  int64_t created_at = 0;
  const auto [dot, error] = std::from_chars(text.data(), text.data() + text.size(), created_at);
  if (error != std::errc() || dot == text.data() + text.size() || *dot != '.') {
    return Fail(ErrorCode::kInvalidArgument,
                "the cursor is none that a page of jobs gave; start without one");
  }
  cursor.created_at = Timestamp(std::chrono::microseconds(created_at));
  cursor.id = std::string(dot + 1, text.data() + text.size());
  return cursor;
}

}  // namespace

Result<Created> SqliteStore::Create(const Job& job, bool fresh) {
  return database_.Write(Durability::kDisk, [&](Connection& connection) -> Result<Created> {
    int64_t run = 1;
    {
      Query latest(connection, SPILLWAY_SELECT_JOB "WHERE task_id = ? ORDER BY run DESC LIMIT 1",
                   job.task_id);
      if (TRY(latest.Next())) {
        JobRow row = TRY(ReadJob(latest));
        const bool stands =
            row.job.state != JobState::kFailed && row.job.state != JobState::kCancelled;
        if (stands && !fresh) return Created{.job = std::move(row.job), .created = false};
        run = row.job.run + 1;
      }
    }
    const std::string id = fmt::format("{}-{}", job.task_id, run);
    const Timestamp now = clock_.Now();
    TRY(Query(connection,
              "INSERT INTO jobs (id, task_id, run, export_name, recipe, tenant, job_group, "
              "requested_by, state, phase, "
              "created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', "
              "'initializing', ?9, ?9)",
              id, job.task_id, run, job.export_name, job.recipe, job.tenant, job.group,
              job.requested_by, now)
            .Run());
    const int64_t number = sqlite3_last_insert_rowid(connection.handle());
    TRY(Query(connection, "INSERT INTO job_documents (job, parameters) VALUES (?, ?)", number,
              job.parameters)
            .Run());
    TRY(Record(connection, number, std::nullopt, JobState::kPending, now, job.requested_by,
               "requested"));
    return Created{.job = TRY(FindJob(connection, id)).job, .created = true};
  });
}

Result<Job> SqliteStore::Get(std::string_view job_id) {
  return database_.Read(
      [&](Connection& connection) -> Result<Job> { return TRY(FindJob(connection, job_id)).job; });
}

Result<JobPage> SqliteStore::List(const JobFilter& filter, std::string_view cursor, size_t limit) {
  const Cursor behind = TRY(ReadCursor(cursor));
  const auto state = filter.state ? std::optional(engine::Name(*filter.state)) : std::nullopt;
#define SPILLWAY_LIST(filters)                                                                \
  SPILLWAY_SELECT_JOB "WHERE (created_at, id) < (?1, ?2) " filters                            \
                      "AND (?3 IS NULL OR export_name = ?3) AND (?4 IS NULL OR tenant = ?4) " \
                      "AND (?5 IS NULL OR state = ?5) ORDER BY created_at DESC, id DESC LIMIT ?6"
  // The first filter names the index.
  const std::string_view sql = filter.tenant        ? SPILLWAY_LIST("AND tenant = ?4 ")
                               : filter.export_name ? SPILLWAY_LIST("AND export_name = ?3 ")
                               : state              ? SPILLWAY_LIST("AND state = ?5 ")
                                                    : SPILLWAY_LIST("");
#undef SPILLWAY_LIST
  return database_.Read([&](Connection& connection) -> Result<JobPage> {
    JobPage page;
    Query rows(connection, sql, behind.created_at, behind.id, filter.export_name, filter.tenant,
               state, static_cast<int64_t>(limit) + 1);
    while (TRY(rows.Next())) {
      if (page.jobs.size() == limit) {
        if (limit == 0) break;
        const Job& last = page.jobs.back();
        page.next_cursor =
            fmt::format("{}.{}", last.created_at.time_since_epoch().count(), last.id);
        break;
      }
      page.jobs.push_back(TRY(ReadJob(rows)).job);
    }
    return page;
  });
}

Result<std::vector<engine::Transition>> SqliteStore::History(std::string_view job_id) {
  return database_.Read([&](Connection& connection) -> Result<std::vector<engine::Transition>> {
    const int64_t number = TRY(FindJob(connection, job_id)).number;
    std::vector<engine::Transition> history;
    Query rows(
        connection,
        "SELECT sequence, from_state, to_state, at, actor, cause FROM transitions WHERE job = ? "
        "ORDER BY sequence",
        number);
    while (TRY(rows.Next())) {
      engine::Transition& step = history.emplace_back();
      step.job_id = job_id;
      step.sequence = rows.Integer();
      if (const auto from = rows.TextOrNull()) step.from = TRY(engine::JobStateFromName(*from));
      step.to = TRY(engine::JobStateFromName(rows.Text()));
      step.at = rows.Time();
      step.actor = rows.Text();
      step.cause = rows.Text();
    }
    return history;
  });
}

Result<std::optional<Job>> SqliteStore::Admit(std::string_view group, int64_t parallel_max) {
  return database_.Write(
      Durability::kProcess, [&](Connection& connection) -> Result<std::optional<Job>> {
        JobRow row;
        {
          Query oldest(
              connection,
              SPILLWAY_SELECT_JOB
              "WHERE number = (SELECT min(number) FROM jobs WHERE job_group = ?1 AND state = "
              "'pending') "
              "AND (SELECT count(*) FROM jobs WHERE job_group = ?1 AND state = 'processing') < ?2",
              group, parallel_max);
          if (!TRY(oldest.Next())) return std::nullopt;
          row = TRY(ReadJob(oldest));
        }
        const Timestamp now = clock_.Now();
        TRY(Move(connection, row, JobState::kProcessing, now, kEngine, "admitted"));
        row.job.started_at = now;
        TRY(Save(connection, row));
        return std::move(row.job);
      });
}

Result<Job> SqliteStore::AcquireJob(std::string_view job_id, std::string_view owner,
                                    std::chrono::milliseconds duration) {
  if (owner.empty()) return Fail(ErrorCode::kInvalidArgument, "a lease needs an owner");
  return database_.Write(Durability::kProcess, [&](Connection& connection) -> Result<Job> {
    JobRow row = TRY(FindJob(connection, job_id));
    Job& job = row.job;
    const Timestamp now = clock_.Now();
    TRY(Require(job.state == JobState::kProcessing, job,
                fmt::format("is {}", engine::Name(job.state))));
    TRY(Require(job.lease_owner.empty() || job.lease_owner == owner || job.lease_expires_at <= now,
                job, fmt::format("is in the hands of {}", job.lease_owner)));
    job.lease_owner = owner;
    job.lease_expires_at = now + duration;
    ++job.lease_token;
    ++job.attempts;
    job.updated_at = now;
    TRY(Save(connection, row));
    return std::move(job);
  });
}

Result<Job> SqliteStore::Update(const engine::Lease& lease, const JobUpdate& update) {
  const bool decides = update.state || update.phase == JobPhase::kCompleted;
  return database_.Write(
      decides ? Durability::kDisk : Durability::kProcess,
      [&](Connection& connection) -> Result<Job> {
        JobRow row = TRY(FindJob(connection, lease.job_id));
        Job& job = row.job;
        TRY(Require(lease.chunk == engine::Lease::kJob && !lease.owner.empty() &&
                        job.lease_owner == lease.owner && job.lease_token == lease.token,
                    job, "its lease was lost"));
        const Timestamp now = clock_.Now();
        job.updated_at = now;
        if (update.counts) job.counts = *update.counts;
        if (update.planned) job.counts.planned = *update.planned;
        if (update.chunks_total) job.chunks_total = *update.chunks_total;
        if (update.failure) job.failure = update.failure;
        const bool was_planned = job.phase >= JobPhase::kProcessing;
        if (update.phase) TRY(ApplyPhase(job, *update.phase));
        if (!was_planned && job.phase >= JobPhase::kProcessing) TRY(CloseThePlan(connection, row));
        if (update.release) {
          job.lease_owner.clear();
          job.lease_expires_at = Timestamp();
        }
        TRY(SaveDocuments(connection, row, update));
        if (update.state) TRY(ApplyState(connection, row, *update.state, update, now));
        TRY(Save(connection, row));
        return std::move(job);
      });
}

Result<Job> SqliteStore::RequestCancel(std::string_view job_id, std::string_view actor,
                                       std::string_view cause) {
  return database_.Write(Durability::kDisk, [&](Connection& connection) -> Result<Job> {
    JobRow row = TRY(FindJob(connection, job_id));
    Job& job = row.job;
    TRY(Require(!engine::IsFinal(job.state), job,
                fmt::format("is {} already", engine::Name(job.state))));
    TRY(Require(job.phase != JobPhase::kCompleted, job,
                "its outcome is decided; it is too late to cancel"));
    if (job.cancel_requested_at) return std::move(job);
    const Timestamp now = clock_.Now();
    job.cancel_requested_at = job.updated_at = now;
    TRY(Query(connection,
              "UPDATE jobs SET cancel_requested_at = ?, cancel_actor = ?, cancel_cause = ? WHERE "
              "number = ?",
              now, actor, cause, row.number)
            .Run());
    if (job.state == JobState::kPending)
      TRY(Move(connection, row, JobState::kCancelled, now, actor, cause));
    TRY(Save(connection, row));
    return std::move(job);
  });
}

Result<Job> SqliteStore::Redrive(std::string_view job_id, std::string_view actor) {
  return database_.Write(Durability::kDisk, [&](Connection& connection) -> Result<Job> {
    JobRow row = TRY(FindJob(connection, job_id));
    Job& job = row.job;
    TRY(Require(job.state == JobState::kFailed, job,
                fmt::format("is {}; only failed jobs can be redriven", engine::Name(job.state))));
    TRY(Move(connection, row, JobState::kPending, clock_.Now(), actor, "redrive"));
    job.started_at = job.finished_at = job.cancel_requested_at = std::nullopt;
    job.failure.reset();
    job.attempts = 0;
    if (job.phase != JobPhase::kCompleted) {
      if (job.chunks_total == 0) {
        TRY(Query(connection, "DELETE FROM chunks WHERE job = ?", row.number).Run());
        job.phase = JobPhase::kInitializing;
        job.counts = {};
      } else {
        TRY(Query(connection,
                  "UPDATE chunks SET state = 'pending', attempts = 0, not_before = 0 WHERE job = ? "
                  "AND state = 'dead' "
                  "AND state <> 'succeeded'",
                  row.number)
                .Run());
        job.phase = JobPhase::kProcessing;
        job.chunks_dead = 0;
      }
    }
    TRY(Save(connection, row));
    if (job.phase == JobPhase::kInitializing) {
      TRY(SaveDocuments(connection, row, {.plan = "", .outcome = ""}));
    }
    return std::move(job);
  });
}

Result<std::vector<Job>> SqliteStore::Stalled(Timestamp before, size_t limit) {
  return database_.Read([&](Connection& connection) -> Result<std::vector<Job>> {
    std::vector<Job> jobs;
    Query rows(connection,
               SPILLWAY_SELECT_JOB
               "WHERE state = 'processing' AND updated_at < ? AND (lease_owner = '' OR "
               "lease_expires_at <= ?) "
               "ORDER BY updated_at, number LIMIT ?",
               before, clock_.Now(), static_cast<int64_t>(limit));
    while (TRY(rows.Next())) jobs.push_back(TRY(ReadJob(rows)).job);
    return jobs;
  });
}

Result<std::vector<std::string>> SqliteStore::WaitingGroups() {
  return database_.Read([](Connection& connection) -> Result<std::vector<std::string>> {
    std::vector<std::string> groups;
    Query rows(connection,
               "SELECT DISTINCT job_group FROM jobs WHERE state = 'pending' ORDER BY job_group");
    while (TRY(rows.Next())) groups.emplace_back(rows.Text());
    return groups;
  });
}

}  // namespace spillway::store
