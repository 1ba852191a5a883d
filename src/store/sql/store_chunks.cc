#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "store/sql/job_head.h"
#include "store/sql/records.h"
#include "store/sql/sql_store.h"

namespace spillway::store::sql {

using engine::Chunk;
using engine::ChunkState;
using engine::JobPhase;
using engine::Lease;

namespace {}  // namespace

Result<std::optional<JobHead>> FindHead(Session& session, std::string_view job_id) {
  Query row(session,
            "SELECT number, state, phase, cancel_requested_at IS NOT NULL, chunks_total, "
            "chunks_succeeded, "
            "chunks_dead, lease_owner, lease_token FROM jobs WHERE id = ?",
            job_id);
  if (!TRY(row.Next())) return std::nullopt;
  JobHead head;
  head.number = row.Integer();
  head.state = TRY(engine::JobStateFromName(row.Text()));
  head.phase = TRY(engine::JobPhaseFromName(row.Text()));
  head.cancel_requested = row.Integer() != 0;
  head.chunks_total = row.Integer();
  head.chunks_succeeded = row.Integer();
  head.chunks_dead = row.Integer();
  head.lease_owner = row.Text();
  head.lease_token = row.Integer();
  return head;
}

Result<> Touch(Session& session, int64_t job, Timestamp now) {
  TRY(Query(session, "UPDATE jobs SET updated_at = ? WHERE number = ?", now, job).Run());
  return {};
}

std::optional<ChunkState> ClosingState(Settlement::Kind kind) {
  switch (kind) {
    case Settlement::Kind::kSucceeded:
      return ChunkState::kSucceeded;
    case Settlement::Kind::kDead:
      return ChunkState::kDead;
    case Settlement::Kind::kRetry:
    case Settlement::Kind::kReleased:
    case Settlement::Kind::kPostponed:
      break;
  }
  return std::nullopt;
}

Result<> CheckSettlements(std::span<const Settlement> settlements) {
  std::map<std::string_view, size_t> of_job;
  for (const Settlement& settlement : settlements) {
    if (++of_job[settlement.lease.job_id] > kSettlementsMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("more than {} settlements of job {} in one call", kSettlementsMax,
                              settlement.lease.job_id));
    }
    if (std::max(settlement.result.size(), settlement.position.size()) >
        engine::kChunkFieldBytesMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("job {}, chunk {}: a result or position above {} bytes",
                              settlement.lease.job_id, settlement.lease.chunk,
                              engine::kChunkFieldBytesMax));
    }
    if (settlement.kind == Settlement::Kind::kDead && !settlement.failure) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("job {}, chunk {}: dead without a cause", settlement.lease.job_id,
                              settlement.lease.chunk));
    }
  }
  return {};
}

Result<> CheckRenewals(std::span<const Renewal> renewals) {
  for (const Renewal& renewal : renewals) {
    if (renewal.progress.position.size() > engine::kChunkFieldBytesMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("job {}, chunk {}: a position above {} bytes", renewal.lease.job_id,
                              renewal.lease.chunk, engine::kChunkFieldBytesMax));
    }
  }
  return {};
}

Result<> SqlStore::AddChunks(const Lease& lease, std::span<const NewChunk> chunks) {
  if (chunks.size() > kNewChunksMax) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} chunks in one call; at most {} are allowed", chunks.size(), kNewChunksMax));
  }
  return Write(Durability::kProcess, [&](Session& session) -> Result<> {
    TRY(session.Take(Turn::kJob, lease.job_id));
    const std::optional<JobHead> head = TRY(FindHead(session, lease.job_id));
    if (!head) return Fail(ErrorCode::kNotFound, fmt::format("there is no job {}", lease.job_id));
    if (!head->Processing() || !head->Holds(lease)) {
      return Fail(ErrorCode::kConflict, fmt::format("job {}: its lease was lost", lease.job_id));
    }
    if (head->phase >= JobPhase::kProcessing) {
      return Fail(ErrorCode::kConflict, fmt::format("job {}: it is planned already", lease.job_id));
    }
    TRY(PutChunks(session, head->number, chunks));
    return Touch(session, head->number, clock_.Now());
  });
}

Result<engine::Job> SqlStore::MarkLost(const Lease& lease, std::span<const LostChunk> lost) {
  if (lost.size() > kLostChunksMax) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} lost chunks in one call; at most {} are allowed", lost.size(),
                            kLostChunksMax));
  }
  return Write(Durability::kDisk, [&](Session& session) -> Result<engine::Job> {
    JobRow row = TRY(HoldJob(session, lease.job_id));
    engine::Job& job = row.job;
    TRY(Require(job.state == engine::JobState::kProcessing && lease.chunk == Lease::kJob &&
                    !lease.owner.empty() && job.lease_owner == lease.owner &&
                    job.lease_token == lease.token,
                job, "its lease was lost"));
    TRY(Require(job.phase < JobPhase::kCompleted, job, "its outcome is decided"));
    for (const LostChunk& one : lost) {
      const std::optional<Error> cause = one.cause;
      const FailureColumns failure(cause);
      Query change(session,
                   "UPDATE chunks SET state = 'dead', result = '', failure_code = ?, "
                   "failure_message = ?, failure_retryable = ?, failure_retry_after_ms = ? "
                   "WHERE job = ? AND chunk_index = ? AND state = 'succeeded'",
                   failure.code, failure.message, failure.retryable, failure.retry_after_ms,
                   row.number, one.index);
      if (TRY(change.Run()) == 0) continue;
      --job.chunks_succeeded;
      ++job.chunks_dead;
      job.counts.written -= one.counts.written;
      job.counts.excluded -= one.counts.excluded;
      job.counts.failed -= one.counts.failed;
      job.counts.bytes -= one.counts.bytes;
    }
    job.updated_at = clock_.Now();
    TRY(Save(session, row));
    return std::move(job);
  });
}

Result<std::vector<Chunk>> SqlStore::ListChunks(std::string_view job_id,
                                                std::optional<ChunkState> state, int64_t after,
                                                size_t limit) {
  return Read([&](Session& session) -> Result<std::vector<Chunk>> {
    const std::optional<JobHead> head = TRY(FindHead(session, job_id));
    if (!head) return Fail(ErrorCode::kNotFound, fmt::format("there is no job {}", job_id));
    // The conditions match the indices: the partial ones have no chunks that have succeeded.
    const bool partial = state == ChunkState::kLeased || state == ChunkState::kDead;
    const std::string_view sql = !state ? SPILLWAY_SELECT_CHUNK
                                     "WHERE job = ?1 AND chunk_index > ?2 AND chunk_index < ?5 AND "
                                     "?3 IS NULL ORDER BY chunk_index LIMIT ?4"
                                 : partial ? SPILLWAY_SELECT_CHUNK
                                     "WHERE job = ?1 AND chunk_index > ?2 AND chunk_index < ?5 AND "
                                     "state = ?3 AND state <> 'succeeded' AND state <> 'pending' "
                                     "AND result = '' ORDER BY chunk_index LIMIT ?4"
                                           : SPILLWAY_SELECT_CHUNK
                                     "WHERE job = ?1 AND chunk_index > ?2 AND chunk_index < ?5 AND "
                                     "state = ?3 ORDER BY chunk_index LIMIT ?4";
    std::vector<Chunk> chunks;
    const auto state_name = state ? std::optional(engine::Name(*state)) : std::nullopt;
    Query rows(session, sql, head->number, after, state_name, static_cast<int64_t>(limit),
               head->chunks_total);
    while (TRY(rows.Next())) chunks.push_back(TRY(ReadChunk(rows, job_id)));
    return chunks;
  });
}

}  // namespace spillway::store::sql
