#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "job/job.h"
#include "store/sql/session.h"

/// Reads and writes the engine's records in the tables.
namespace spillway::store::sql {

/// Begins a SELECT whose rows ReadJob reads; `jobs.number` comes last.
#define SPILLWAY_SELECT_JOB                                                                     \
  "SELECT id, task_id, run, export_name, recipe, tenant, job_group, parameters, requested_by, " \
  "state, phase, created_at, updated_at, started_at, finished_at, cancel_requested_at, "        \
  "bytes_planned, chunks_total, chunks_succeeded, chunks_dead, planned, written, excluded, "    \
  "failed, bytes, attempts, plan, outcome, "                                                    \
  "failure_code, failure_message, failure_retryable, failure_retry_after_ms, lease_owner, "     \
  "lease_token, lease_expires_at, expiry_begun_at, expiry_objects, expiry_bytes, "              \
  "expiry_ended_at, number FROM jobs JOIN job_documents ON job = number "

/// Begins a SELECT whose rows ReadChunk reads, of one job.
#define SPILLWAY_SELECT_CHUNK                                                              \
  "SELECT chunk_index, state, spec, planned, attempts, not_before, result, failure_code, " \
  "failure_message, failure_retryable, failure_retry_after_ms, lease_owner, lease_token, " \
  "lease_expires_at, rows_done, bytes_done, position FROM chunks "

/// The actor of steps that no person asked for.
inline constexpr std::string_view kEngine = "spillway";

/// A job and the number that other tables know it by.
struct JobRow {
  engine::Job job;
  int64_t number = 0;
};

Result<JobRow> ReadJob(Cursor& row);
Result<engine::Chunk> ReadChunk(Cursor& row, std::string_view job_id);

/// kNotFound, in one clear line, when there is none.
Result<JobRow> FindJob(Session& session, std::string_view job_id);

/// As FindJob, but until the transaction ends nobody else can change the job.
Result<JobRow> HoldJob(Session& session, std::string_view job_id);

/// Until the transaction ends, nobody else can create the next run of the task.
Result<std::optional<engine::Job>> LatestRun(Session& session, std::string_view task_id);

/// Creates a pending job, the given run of its task.
Result<JobRow> PutRun(Session& session, const engine::Job& job, int64_t run, Timestamp now);

/// Writes everything about a job that may change, except its documents and its expiry.
Result<> Save(Session& session, const JobRow& row);

/// Moves the job in memory, and records the step. kConflict for an illegal one.
Result<> Move(Session& session, JobRow& row, engine::JobState to, Timestamp now,
              std::string_view actor, std::string_view cause);

/// kConflict with `refusal` unless the condition holds.
Result<> Require(bool holds, const engine::Job& job, std::string_view refusal);

/// Adds a step to a job's history.
Result<> Record(Session& session, int64_t job_number, std::optional<engine::JobState> from,
                engine::JobState to, Timestamp at, std::string_view actor, std::string_view cause);

/// An optional error's columns, to be bound.
struct FailureColumns {
  explicit FailureColumns(const std::optional<Error>& failure);

  std::optional<std::string_view> code;
  std::string_view message;
  int64_t retryable = 0;
  std::optional<int64_t> retry_after_ms;
};

}  // namespace spillway::store::sql
