#include "store/sql/records.h"

#include <chrono>

#include <fmt/format.h>

#include "job/state_machine.h"

namespace spillway::store::sql {
namespace {

std::optional<Error> ReadFailure(Cursor& row) {
  const std::optional<std::string_view> code = row.TextOrNull();
  std::optional<Error> failure;
  if (code) failure.emplace().code = ErrorCodeFromName(*code);
  const std::string message(row.Text());
  const bool retryable = row.Integer() != 0;
  const std::optional<int64_t> retry_after_ms = row.IntegerOrNull();
  if (!failure) return failure;
  failure->message = message;
  failure->retryable = retryable;
  if (retry_after_ms) failure->retry_after = std::chrono::milliseconds(*retry_after_ms);
  return failure;
}

std::optional<engine::Expiry> ReadExpiry(Cursor& row) {
  const std::optional<Timestamp> begun_at = row.TimeOrNull();
  engine::Expiry expiry{.objects = row.Integer(), .bytes = row.Integer()};
  expiry.ended_at = row.TimeOrNull();
  if (!begun_at) return std::nullopt;
  expiry.begun_at = *begun_at;
  return expiry;
}

}  // namespace

Result<JobRow> ReadJob(Cursor& row) {
  JobRow read;
  engine::Job& job = read.job;
  job.id = row.Text();
  job.task_id = row.Text();
  job.run = row.Integer();
  job.export_name = row.Text();
  job.recipe = row.Text();
  job.tenant = row.Text();
  job.group = row.Text();
  job.parameters = row.Text();
  job.requested_by = row.Text();
  job.state = TRY(engine::JobStateFromName(row.Text()));
  job.phase = TRY(engine::JobPhaseFromName(row.Text()));
  job.created_at = row.Time();
  job.updated_at = row.Time();
  job.started_at = row.TimeOrNull();
  job.finished_at = row.TimeOrNull();
  job.cancel_requested_at = row.TimeOrNull();
  job.bytes_planned = row.Integer();
  job.chunks_total = row.Integer();
  job.chunks_succeeded = row.Integer();
  job.chunks_dead = row.Integer();
  job.counts.planned = row.Integer();
  job.counts.written = row.Integer();
  job.counts.excluded = row.Integer();
  job.counts.failed = row.Integer();
  job.counts.bytes = row.Integer();
  job.attempts = row.Integer();
  job.plan = row.Text();
  job.outcome = row.Text();
  job.failure = ReadFailure(row);
  job.lease_owner = row.Text();
  job.lease_token = row.Integer();
  job.lease_expires_at = row.Time();
  job.expiry = ReadExpiry(row);
  read.number = row.Integer();
  return read;
}

Result<engine::Chunk> ReadChunk(Cursor& row, std::string_view job_id) {
  engine::Chunk chunk;
  chunk.job_id = job_id;
  chunk.index = row.Integer();
  chunk.state = TRY(engine::ChunkStateFromName(row.Text()));
  chunk.spec = row.Text();
  chunk.planned = row.Integer();
  chunk.attempts = row.Integer();
  chunk.not_before = row.Time();
  chunk.result = row.Text();
  chunk.failure = ReadFailure(row);
  chunk.lease_owner = row.Text();
  chunk.lease_token = row.Integer();
  chunk.lease_expires_at = row.Time();
  chunk.progress.rows = row.Integer();
  chunk.progress.bytes = row.Integer();
  chunk.progress.position = row.Text();
  return chunk;
}

Result<JobRow> FindJob(Session& session, std::string_view job_id) {
  Query row(session, SPILLWAY_SELECT_JOB "WHERE id = ?", job_id);
  if (!TRY(row.Next())) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no job {}", job_id));
  }
  return ReadJob(row);
}

Result<JobRow> HoldJob(Session& session, std::string_view job_id) {
  TRY(session.Take(Turn::kJob, job_id));
  return FindJob(session, job_id);
}

Result<std::optional<engine::Job>> LatestRun(Session& session, std::string_view task_id) {
  TRY(session.Take(Turn::kTask, task_id));
  Query latest(session, SPILLWAY_SELECT_JOB "WHERE task_id = ? ORDER BY run DESC LIMIT 1", task_id);
  if (!TRY(latest.Next())) return std::nullopt;
  return TRY(ReadJob(latest)).job;
}

Result<JobRow> PutRun(Session& session, const engine::Job& job, int64_t run, Timestamp now) {
  if (job.id.empty()) return Fail(ErrorCode::kInvalidArgument, "a job needs an id");
  const std::string id = fmt::format("{}-{}", job.id, run);
  TRY(session.Take(Turn::kGroup, job.group));  // numbers of a group are visible in their order
  Query put(session,
            "INSERT INTO jobs (id, task_id, run, export_name, recipe, tenant, job_group, "
            "requested_by, state, phase, "
            "created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', "
            "'initializing', ?9, ?9) RETURNING number",
            id, job.task_id, run, job.export_name, job.recipe, job.tenant, job.group,
            job.requested_by, now);
  TRY(put.Next());
  const int64_t number = put.Integer();
  TRY(Query(session, "INSERT INTO job_documents (job, parameters) VALUES (?, ?)", number,
            job.parameters)
          .Run());
  TRY(Record(session, number, std::nullopt, engine::JobState::kPending, now, job.requested_by,
             "requested"));
  return FindJob(session, id);
}

Result<> Save(Session& session, const JobRow& row) {
  const engine::Job& job = row.job;
  const FailureColumns failure(job.failure);
  TRY(Query(
          session,
          "UPDATE jobs SET state = ?, phase = ?, updated_at = ?, started_at = ?, finished_at = ?, "
          "cancel_requested_at = ?, bytes_planned = ?, chunks_total = ?, chunks_succeeded = ?, "
          "chunks_dead = ?, planned = ?, "
          "written = ?, excluded = ?, failed = ?, bytes = ?, attempts = ?, failure_code = ?, "
          "failure_message = ?, "
          "failure_retryable = ?, failure_retry_after_ms = ?, lease_owner = ?, lease_token = ?, "
          "lease_expires_at = ? WHERE number = ?",
          engine::Name(job.state), engine::Name(job.phase), job.updated_at, job.started_at,
          job.finished_at, job.cancel_requested_at, job.bytes_planned, job.chunks_total,
          job.chunks_succeeded, job.chunks_dead, job.counts.planned, job.counts.written,
          job.counts.excluded, job.counts.failed, job.counts.bytes, job.attempts, failure.code,
          failure.message, failure.retryable, failure.retry_after_ms, job.lease_owner,
          job.lease_token, job.lease_expires_at, row.number)
          .Run());
  return {};
}

Result<> Move(Session& session, JobRow& row, engine::JobState to, Timestamp now,
              std::string_view actor, std::string_view cause) {
  engine::Job& job = row.job;
  if (!engine::IsLegal(job.state, to)) {
    return Fail(ErrorCode::kConflict, fmt::format("job {} is {} and cannot become {}", job.id,
                                                  engine::Name(job.state), engine::Name(to)));
  }
  TRY(Record(session, row.number, job.state, to, now, actor, cause));
  job.state = to;
  job.updated_at = now;
  if (engine::IsFinal(to)) {
    job.finished_at = now;
    job.lease_owner.clear();
    job.lease_expires_at = Timestamp();
  }
  return {};
}

Result<> Require(bool holds, const engine::Job& job, std::string_view refusal) {
  if (holds) return {};
  return Fail(ErrorCode::kConflict, fmt::format("job {}: {}", job.id, refusal));
}

Result<> Record(Session& session, int64_t job_number, std::optional<engine::JobState> from,
                engine::JobState to, Timestamp at, std::string_view actor, std::string_view cause) {
  const auto from_name = from ? std::optional(engine::Name(*from)) : std::nullopt;
  TRY(Query(session,
            "INSERT INTO transitions (job, sequence, from_state, to_state, at, actor, cause) "
            "SELECT ?1, 1 + coalesce((SELECT max(sequence) FROM transitions WHERE job = ?1), 0), "
            "?2, ?3, ?4, ?5, ?6",
            job_number, from_name, engine::Name(to), at, actor, cause)
          .Run());
  return {};
}

FailureColumns::FailureColumns(const std::optional<Error>& failure) {
  if (!failure) return;
  code = Name(failure->code);
  message = failure->message;
  retryable = failure->retryable ? 1 : 0;
  if (failure->retry_after) retry_after_ms = failure->retry_after->count();
}

}  // namespace spillway::store::sql
