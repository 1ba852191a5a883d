#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "store/sql/job_head.h"
#include "store/sql/records.h"
#include "store/sqlite/sqlite_store.h"

namespace spillway::store {
namespace {

using engine::Chunk;
using engine::ChunkState;
using engine::JobPhase;
using engine::Lease;

/// The heads of one call's jobs.
class JobHeads {
 public:
  explicit JobHeads(Connection& connection) : connection_(connection) {}

  /// Null for an unknown job.
  Result<sql::JobHead*> Find(const std::string& job_id) {
    auto found = heads_.find(job_id);
    if (found == heads_.end())
      found = heads_.emplace(job_id, TRY(sql::FindHead(connection_, job_id))).first;
    return found->second ? &*found->second : nullptr;
  }

 private:
  Connection& connection_;
  std::map<std::string, std::optional<sql::JobHead>, std::less<>> heads_;
};

Result<std::optional<Chunk>> FindChunk(Connection& connection, const sql::JobHead& head,
                                       const ChunkRef& ref) {
  Query row(connection, SPILLWAY_SELECT_CHUNK "WHERE job = ? AND chunk_index = ?", head.number,
            ref.index);
  if (!TRY(row.Next())) return std::nullopt;
  return sql::ReadChunk(row, ref.job_id);
}

std::optional<ClaimRefusal> Refuse(const Chunk& chunk, Timestamp now) {
  if (chunk.state == ChunkState::kSucceeded || chunk.state == ChunkState::kDead)
    return ClaimRefusal::kSettled;
  if (chunk.state == ChunkState::kLeased && chunk.lease_expires_at > now)
    return ClaimRefusal::kLeased;
  if (chunk.state == ChunkState::kPending && chunk.not_before > now) return ClaimRefusal::kNotYet;
  return std::nullopt;
}

Result<Claim> ClaimChunk(Connection& connection, const sql::JobHead* head, const ChunkRef& ref,
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
  const sql::FailureColumns failure(settlement.failure);
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

Result<bool> RenewLease(Connection& connection, const sql::JobHead& head, const Lease& lease,
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

Result<> SqliteStore::PutChunks(sql::Session& session, int64_t job,
                                std::span<const NewChunk> chunks) {
  for (const NewChunk& chunk : chunks) {
    TRY(sql::Query(session,
                   "INSERT INTO chunks (job, chunk_index, state, spec, planned) VALUES (?, ?, "
                   "'pending', ?, ?) "
                   "ON CONFLICT (job, chunk_index) DO UPDATE SET spec = excluded.spec, planned = "
                   "excluded.planned",
                   job, chunk.index, chunk.spec, chunk.planned)
            .Run());
  }
  return {};
}

Result<std::vector<Claim>> SqliteStore::ClaimChunks(std::span<const ChunkRef> refs,
                                                    std::string_view owner,
                                                    std::chrono::milliseconds duration) {
  if (owner.empty()) return Fail(ErrorCode::kInvalidArgument, "a lease needs an owner");
  if (refs.empty()) return std::vector<Claim>();
  return database_.Write(
      sql::Durability::kProcess, [&](Connection& connection) -> Result<std::vector<Claim>> {
        JobHeads heads(connection);
        const Timestamp now = clock_.Now();
        std::vector<Claim> claims;
        claims.reserve(refs.size());
        for (const ChunkRef& ref : refs) {
          const sql::JobHead* head = TRY(heads.Find(ref.job_id));
          claims.push_back(TRY(ClaimChunk(connection, head, ref, owner, now, duration)));
        }
        return claims;
      });
}

Result<std::vector<Settled>> SqliteStore::Settle(std::span<const Settlement> settlements) {
  TRY(sql::CheckSettlements(settlements));
  if (settlements.empty()) return std::vector<Settled>();
  return database_.Write(
      sql::Durability::kDisk, [&](Connection& connection) -> Result<std::vector<Settled>> {
        JobHeads heads(connection);
        std::map<int64_t, JobSums> sums;
        std::vector<Settled> answers;
        answers.reserve(settlements.size());
        for (const Settlement& settlement : settlements) {
          Settled& answer = answers.emplace_back();
          sql::JobHead* head = TRY(heads.Find(settlement.lease.job_id));
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
      sql::Durability::kProcess, [&](Connection& connection) -> Result<std::vector<Renewed>> {
        JobHeads heads(connection);
        const Timestamp now = clock_.Now();
        std::set<int64_t> touched;
        std::vector<Renewed> answers;
        answers.reserve(leases.size());
        for (const Lease& lease : leases) {
          Renewed& answer = answers.emplace_back();
          const sql::JobHead* head = TRY(heads.Find(lease.job_id));
          if (head == nullptr) continue;
          answer.held = TRY(RenewLease(connection, *head, lease, now + duration));
          if (answer.held && touched.insert(head->number).second)
            TRY(sql::Touch(connection, head->number, now));
          answer.cancel_requested = head->cancel_requested;
        }
        return answers;
      });
}

}  // namespace spillway::store
