#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "store/sqlite/records.h"
#include "store/sqlite/sqlite_store.h"

namespace spillway::store {
namespace {

using engine::Chunk;
using engine::ChunkState;
using engine::JobPhase;
using engine::JobState;
using engine::Lease;

/// What a call on chunks needs of their job: read once, and its sums written once.
struct JobHead {
  int64_t number = 0;
  JobState state = JobState::kPending;
  JobPhase phase = JobPhase::kInitializing;
  bool cancel_requested = false;
  int64_t chunks_total = 0;
  int64_t chunks_succeeded = 0;
  int64_t chunks_dead = 0;
  std::string lease_owner;
  int64_t lease_token = 0;

  int64_t chunks_open() const { return chunks_total - chunks_succeeded - chunks_dead; }
  bool Holds(const Lease& lease) const {
    return lease.chunk == Lease::kJob && !lease.owner.empty() && lease_owner == lease.owner &&
           lease_token == lease.token;
  }
  bool Processing() const { return state == JobState::kProcessing; }
};

Result<std::optional<JobHead>> FindHead(Connection& connection, std::string_view job_id) {
  Query row(connection,
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

/// The heads of one call's jobs.
class JobHeads {
 public:
  explicit JobHeads(Connection& connection) : connection_(connection) {}

  /// Null for an unknown job.
  Result<JobHead*> Find(const std::string& job_id) {
    auto found = heads_.find(job_id);
    if (found == heads_.end())
      found = heads_.emplace(job_id, TRY(FindHead(connection_, job_id))).first;
    return found->second ? &*found->second : nullptr;
  }

 private:
  Connection& connection_;
  std::map<std::string, std::optional<JobHead>, std::less<>> heads_;
};

Result<std::optional<Chunk>> FindChunk(Connection& connection, const JobHead& head,
                                       const ChunkRef& ref) {
  Query row(connection, SPILLWAY_SELECT_CHUNK "WHERE job = ? AND chunk_index = ?", head.number,
            ref.index);
  if (!TRY(row.Next())) return std::nullopt;
  return ReadChunk(row, ref.job_id);
}

std::optional<ClaimRefusal> Refuse(const Chunk& chunk, Timestamp now) {
  if (chunk.state == ChunkState::kSucceeded || chunk.state == ChunkState::kDead)
    return ClaimRefusal::kSettled;
  if (chunk.state == ChunkState::kLeased && chunk.lease_expires_at > now)
    return ClaimRefusal::kLeased;
  if (chunk.state == ChunkState::kPending && chunk.not_before > now) return ClaimRefusal::kNotYet;
  return std::nullopt;
}

Result<Claim> ClaimChunk(Connection& connection, const JobHead* head, const ChunkRef& ref,
                         std::string_view owner, Timestamp now,
                         std::chrono::milliseconds duration) {
  if (head == nullptr || engine::IsFinal(head->state)) return ClaimRefusal::kGone;
  if (head->cancel_requested) return ClaimRefusal::kCancelled;
  if (!head->Processing() || head->phase < JobPhase::kProcessing) return ClaimRefusal::kNotYet;
  std::optional<Chunk> chunk = TRY(FindChunk(connection, *head, ref));
  if (!chunk) return ClaimRefusal::kGone;
  if (const auto refusal = Refuse(*chunk, now)) return *refusal;
  chunk->state = ChunkState::kLeased;
  chunk->lease_owner = owner;
  chunk->lease_expires_at = now + duration;
  ++chunk->lease_token;
  ++chunk->attempts;
  TRY(Query(connection,
            "UPDATE chunks SET state = 'leased', lease_owner = ?, lease_token = ?, "
            "lease_expires_at = ?, attempts = ? "
            "WHERE job = ? AND chunk_index = ?",
            owner, chunk->lease_token, chunk->lease_expires_at, chunk->attempts, head->number,
            ref.index)
          .Run());
  return *std::move(chunk);
}

#define SPILLWAY_SETTLE(changes)                                                        \
  "UPDATE chunks SET lease_owner = '', lease_expires_at = 0, " changes                  \
  " WHERE job = ?1 AND chunk_index = ?2 AND state = 'leased' AND lease_token = ?3 AND " \
  "lease_owner = ?4"
#define SPILLWAY_FAILURE \
  "failure_code = ?5, failure_message = ?6, failure_retryable = ?7, failure_retry_after_ms = ?8"

Result<bool> SettleChunk(Connection& connection, int64_t job, const Settlement& settlement) {
  const Lease& lease = settlement.lease;
  const FailureColumns failure(settlement.failure);
  switch (settlement.kind) {
    case Settlement::Kind::kSucceeded:
      return TRY(Query(connection,
                       SPILLWAY_SETTLE("state = 'succeeded', result = ?5, failure_code = NULL, "
                                       "failure_message = '', "
                                       "failure_retryable = 0, failure_retry_after_ms = NULL"),
                       job, lease.chunk, lease.token, lease.owner, settlement.result)
                     .Run()) == 1;
    case Settlement::Kind::kRetry:
      return TRY(Query(connection,
                       SPILLWAY_SETTLE("state = 'pending', not_before = ?9, " SPILLWAY_FAILURE),
                       job, lease.chunk, lease.token, lease.owner, failure.code, failure.message,
                       failure.retryable, failure.retry_after_ms, settlement.not_before)
                     .Run()) == 1;
    case Settlement::Kind::kDead:
      return TRY(Query(connection, SPILLWAY_SETTLE("state = 'dead', " SPILLWAY_FAILURE), job,
                       lease.chunk, lease.token, lease.owner, failure.code, failure.message,
                       failure.retryable, failure.retry_after_ms)
                     .Run()) == 1;
    case Settlement::Kind::kReleased:
      return TRY(Query(connection,
                       SPILLWAY_SETTLE("state = 'pending', attempts = max(attempts - 1, 0)"), job,
                       lease.chunk, lease.token, lease.owner)
                     .Run()) == 1;
  }
  return false;
}

/// What the settlements of one call add to one job.
struct JobSums {
  int64_t succeeded = 0;
  int64_t dead = 0;
  engine::Counts counts;
};

Result<> AddSums(Connection& connection, int64_t job, const JobSums& sums, Timestamp now) {
  TRY(Query(
          connection,
          "UPDATE jobs SET chunks_succeeded = chunks_succeeded + ?, chunks_dead = chunks_dead + ?, "
          "written = written + ?, excluded = excluded + ?, failed = failed + ?, bytes = bytes + ?, "
          "updated_at = ? "
          "WHERE number = ?",
          sums.succeeded, sums.dead, sums.counts.written, sums.counts.excluded, sums.counts.failed,
          sums.counts.bytes, now, job)
          .Run());
  return {};
}

Result<> Touch(Connection& connection, int64_t job, Timestamp now) {
  TRY(Query(connection, "UPDATE jobs SET updated_at = ? WHERE number = ?", now, job).Run());
  return {};
}

Result<> CheckSettlements(std::span<const Settlement> settlements) {
  constexpr size_t kSettlementsMax = 90;
  std::map<std::string_view, size_t> of_job;
  for (const Settlement& settlement : settlements) {
    if (++of_job[settlement.lease.job_id] > kSettlementsMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("more than {} settlements of job {} in one call", kSettlementsMax,
                              settlement.lease.job_id));
    }
    if (settlement.kind == Settlement::Kind::kDead && !settlement.failure) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("job {}, chunk {}: dead without a cause", settlement.lease.job_id,
                              settlement.lease.chunk));
    }
  }
  return {};
}

Result<bool> RenewLease(Connection& connection, const JobHead& head, const Lease& lease,
                        Timestamp expires_at) {
  if (!head.Processing()) return false;
  if (lease.chunk == Lease::kJob) {
    if (!head.Holds(lease)) return false;
    return TRY(Query(connection, "UPDATE jobs SET lease_expires_at = ? WHERE number = ?",
                     expires_at, head.number)
                   .Run()) == 1;
  }
  return TRY(Query(connection,
                   "UPDATE chunks SET lease_expires_at = ? WHERE job = ? AND chunk_index = ? AND "
                   "state = 'leased' "
                   "AND lease_owner = ? AND lease_token = ?",
                   expires_at, head.number, lease.chunk, lease.owner, lease.token)
                 .Run()) == 1;
}

}  // namespace

Result<> SqliteStore::AddChunks(const Lease& lease, std::span<const NewChunk> chunks) {
  constexpr size_t kChunksMax = 90;
  if (chunks.size() > kChunksMax) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} chunks in one call; at most {} are allowed", chunks.size(), kChunksMax));
  }
  return database_.Write(Durability::kProcess, [&](Connection& connection) -> Result<> {
    const std::optional<JobHead> head = TRY(FindHead(connection, lease.job_id));
    if (!head) return Fail(ErrorCode::kNotFound, fmt::format("no job {}", lease.job_id));
    if (!head->Processing() || !head->Holds(lease)) {
      return Fail(ErrorCode::kConflict, fmt::format("job {}: its lease was lost", lease.job_id));
    }
    if (head->phase >= JobPhase::kProcessing) {
      return Fail(ErrorCode::kConflict,
                  fmt::format("job {}: its plan stands already", lease.job_id));
    }
    for (const NewChunk& chunk : chunks) {
      TRY(Query(connection,
                "INSERT INTO chunks (job, chunk_index, state, spec, planned) VALUES (?, ?, "
                "'pending', ?, ?) "
                "ON CONFLICT (job, chunk_index) DO UPDATE SET spec = excluded.spec, planned = "
                "excluded.planned",
                head->number, chunk.index, chunk.spec, chunk.planned)
              .Run());
    }
    return Touch(connection, head->number, clock_.Now());
  });
}

Result<std::vector<Claim>> SqliteStore::ClaimChunks(std::span<const ChunkRef> refs,
                                                    std::string_view owner,
                                                    std::chrono::milliseconds duration) {
  if (owner.empty()) return Fail(ErrorCode::kInvalidArgument, "a lease needs an owner");
  if (refs.empty()) return std::vector<Claim>();
  return database_.Write(
      Durability::kProcess, [&](Connection& connection) -> Result<std::vector<Claim>> {
        JobHeads heads(connection);
        const Timestamp now = clock_.Now();
        std::vector<Claim> claims;
        claims.reserve(refs.size());
        for (const ChunkRef& ref : refs) {
          const JobHead* head = TRY(heads.Find(ref.job_id));
          claims.push_back(TRY(ClaimChunk(connection, head, ref, owner, now, duration)));
        }
        return claims;
      });
}

Result<std::vector<Settled>> SqliteStore::Settle(std::span<const Settlement> settlements) {
  TRY(CheckSettlements(settlements));
  if (settlements.empty()) return std::vector<Settled>();
  return database_.Write(
      Durability::kDisk, [&](Connection& connection) -> Result<std::vector<Settled>> {
        JobHeads heads(connection);
        std::map<int64_t, JobSums> sums;
        std::vector<Settled> answers;
        answers.reserve(settlements.size());
        for (const Settlement& settlement : settlements) {
          Settled& answer = answers.emplace_back();
          JobHead* head = TRY(heads.Find(settlement.lease.job_id));
          if (head == nullptr || !head->Processing()) continue;
          answer.applied = TRY(SettleChunk(connection, head->number, settlement));
          if (!answer.applied) continue;
          JobSums& job = sums[head->number];
          if (settlement.kind == Settlement::Kind::kSucceeded) {
            ++job.succeeded;
            ++head->chunks_succeeded;
            job.counts += settlement.counts;
          } else if (settlement.kind == Settlement::Kind::kDead) {
            ++job.dead;
            ++head->chunks_dead;
          }
          answer.chunks_open = head->chunks_open();
        }
        const Timestamp now = clock_.Now();
        for (const auto& [job, added] : sums) TRY(AddSums(connection, job, added, now));
        return answers;
      });
}

Result<std::vector<Renewed>> SqliteStore::Renew(std::span<const Lease> leases,
                                                std::chrono::milliseconds duration) {
  if (leases.empty()) return std::vector<Renewed>();
  return database_.Write(
      Durability::kProcess, [&](Connection& connection) -> Result<std::vector<Renewed>> {
        JobHeads heads(connection);
        const Timestamp now = clock_.Now();
        std::set<int64_t> touched;
        std::vector<Renewed> answers;
        answers.reserve(leases.size());
        for (const Lease& lease : leases) {
          Renewed& answer = answers.emplace_back();
          const JobHead* head = TRY(heads.Find(lease.job_id));
          if (head == nullptr) continue;
          answer.held = TRY(RenewLease(connection, *head, lease, now + duration));
          if (answer.held && touched.insert(head->number).second)
            TRY(Touch(connection, head->number, now));
          answer.cancel_requested = head->cancel_requested;
        }
        return answers;
      });
}

Result<std::vector<Chunk>> SqliteStore::ListChunks(std::string_view job_id,
                                                   std::optional<ChunkState> state, int64_t after,
                                                   size_t limit) {
  return database_.Read([&](Connection& connection) -> Result<std::vector<Chunk>> {
    const std::optional<JobHead> head = TRY(FindHead(connection, job_id));
    if (!head) return Fail(ErrorCode::kNotFound, fmt::format("no job {}", job_id));
    // The filters are worded for the indices: only what has not succeeded stands in the partial
    // one.
    const std::string_view sql = !state ? SPILLWAY_SELECT_CHUNK
                                     "WHERE job = ?1 AND chunk_index > ?2 AND chunk_index < ?5 AND "
                                     "?3 IS NULL ORDER BY chunk_index LIMIT ?4"
                                 : *state == ChunkState::kSucceeded ? SPILLWAY_SELECT_CHUNK
                                     "WHERE job = ?1 AND chunk_index > ?2 AND chunk_index < ?5 AND "
                                     "state = ?3 ORDER BY chunk_index LIMIT ?4"
                                                                    : SPILLWAY_SELECT_CHUNK
                                     "WHERE job = ?1 AND chunk_index > ?2 AND chunk_index < ?5 AND "
                                     "state = ?3 AND state <> 'succeeded' "
                                     "ORDER BY chunk_index LIMIT ?4";
    std::vector<Chunk> chunks;
    const auto state_name = state ? std::optional(engine::Name(*state)) : std::nullopt;
    Query rows(connection, sql, head->number, after, state_name, static_cast<int64_t>(limit),
               head->chunks_total);
    while (TRY(rows.Next())) chunks.push_back(TRY(ReadChunk(rows, job_id)));
    return chunks;
  });
}

}  // namespace spillway::store
