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

#define SPILLWAY_WHERE_PENDING \
  "INDEXED BY chunks_pending " \
  "WHERE job = ?1 AND chunk_index > ?2 AND chunk_index < ?3 AND state = 'pending' "
#define SPILLWAY_WHERE_LEASED                                                          \
  "INDEXED BY chunks_leased_or_dead "                                                  \
  "WHERE job = ?1 AND chunk_index > ?2 AND chunk_index < ?3 AND state <> 'succeeded' " \
  "AND state <> 'pending' AND state = 'leased' "

/// The chunks that come first of those that can be claimed, as they are.
Result<std::vector<Chunk>> Claimable(Connection& connection, const sql::JobHead& head,
                                     std::string_view job_id, int64_t after, size_t limit,
                                     Timestamp now) {
  std::vector<Chunk> chunks;
  Query rows(connection,
             SPILLWAY_SELECT_CHUNK SPILLWAY_WHERE_PENDING
             "AND not_before <= ?4 "
             "UNION ALL " SPILLWAY_SELECT_CHUNK SPILLWAY_WHERE_LEASED
             "AND lease_expires_at <= ?4 "
             "ORDER BY not_before, chunk_index LIMIT ?5",
             head.number, after, head.chunks_total, now, static_cast<int64_t>(limit));
  while (TRY(rows.Next())) chunks.push_back(TRY(sql::ReadChunk(rows, job_id)));
  std::ranges::sort(chunks, {}, &Chunk::index);
  return chunks;
}

/// When the first pause ends.
Result<std::optional<Timestamp>> FirstDue(Connection& connection, const sql::JobHead& head,
                                          int64_t after, Timestamp now) {
  Query row(connection,
            "SELECT not_before FROM chunks " SPILLWAY_WHERE_PENDING
            "AND not_before > ?4 ORDER BY not_before LIMIT 1",
            head.number, after, head.chunks_total, now);
  if (!TRY(row.Next())) return std::nullopt;
  return row.Time();
}

Result<> ClaimChunk(Connection& connection, int64_t job, Chunk& chunk, std::string_view owner,
                    Timestamp expires_at) {
  chunk.state = ChunkState::kLeased;
  chunk.lease_owner = owner;
  chunk.lease_expires_at = expires_at;
  ++chunk.lease_token;
  ++chunk.attempts;
  chunk.progress.rows = chunk.progress.bytes = 0;
  TRY(Query(connection,
            "UPDATE chunks SET state = 'leased', lease_owner = ?, lease_token = ?, "
            "lease_expires_at = ?, attempts = ?, rows_done = 0, bytes_done = 0 "
            "WHERE job = ? AND chunk_index = ?",
            owner, chunk.lease_token, chunk.lease_expires_at, chunk.attempts, job, chunk.index)
          .Run());
  return {};
}

#define SPILLWAY_SETTLE(changes)                                                           \
  "UPDATE chunks SET lease_owner = '', lease_expires_at = 0, rows_done = 0, bytes_done = " \
  "0, " changes                                                                            \
  " WHERE job = ?1 AND chunk_index = ?2 AND state = 'leased' AND lease_token = ?3 AND "    \
  "lease_owner = ?4"
#define SPILLWAY_FAILURE \
  "failure_code = ?5, failure_message = ?6, failure_retryable = ?7, failure_retry_after_ms = ?8"

Result<bool> SettleChunk(Connection& connection, int64_t job, const Settlement& settlement) {
  const Lease& lease = settlement.lease;
  const sql::FailureColumns failure(settlement.failure);
  switch (settlement.kind) {
    case Settlement::Kind::kSucceeded:
      return TRY(Query(connection,
                       SPILLWAY_SETTLE(
                           "state = 'succeeded', result = ?5, position = '', failure_code = NULL, "
                           "failure_message = '', "
                           "failure_retryable = 0, failure_retry_after_ms = NULL"),
                       job, lease.chunk, lease.token, lease.owner, settlement.result)
                     .Run()) == 1;
    case Settlement::Kind::kRetry:
      return TRY(Query(connection,
                       SPILLWAY_SETTLE("state = 'pending', not_before = ?9, position = ?10, "
                                       "attempts = CASE WHEN ?10 IN ('', position) THEN attempts "
                                       "ELSE 1 END, " SPILLWAY_FAILURE),
                       job, lease.chunk, lease.token, lease.owner, failure.code, failure.message,
                       failure.retryable, failure.retry_after_ms, settlement.not_before,
                       settlement.position)
                     .Run()) == 1;
    case Settlement::Kind::kDead:
      return TRY(Query(connection,
                       SPILLWAY_SETTLE("state = 'dead', position = '', " SPILLWAY_FAILURE), job,
                       lease.chunk, lease.token, lease.owner, failure.code, failure.message,
                       failure.retryable, failure.retry_after_ms)
                     .Run()) == 1;
    case Settlement::Kind::kReleased:
    case Settlement::Kind::kPostponed:
      return TRY(Query(connection,
                       SPILLWAY_SETTLE("state = 'pending', not_before = ?5, position = ?6, "
                                       "attempts = CASE WHEN ?7 OR ?6 NOT IN ('', position) THEN 0 "
                                       "ELSE max(attempts - 1, 0) END"),
                       job, lease.chunk, lease.token, lease.owner, settlement.not_before,
                       settlement.position, settlement.kind == Settlement::Kind::kPostponed)
                     .Run()) == 1;
  }
  return false;
}

/// Whether the settlement repeats one that closed the chunk: tokens are given once.
Result<bool> ClosedBefore(Connection& connection, int64_t job, const Settlement& settlement) {
  const std::optional<ChunkState> closed = sql::ClosingState(settlement.kind);
  if (!closed) return false;
  Query row(connection,
            "SELECT 1 FROM chunks WHERE job = ? AND chunk_index = ? AND lease_token = ? AND "
            "state = ?",
            job, settlement.lease.chunk, settlement.lease.token, engine::Name(*closed));
  return row.Next();
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

Result<bool> RenewLease(Connection& connection, const sql::JobHead& head, const Renewal& renewal,
                        Timestamp expires_at) {
  const Lease& lease = renewal.lease;
  if (!head.Processing()) return false;
  if (lease.chunk == Lease::kJob) {
    if (!head.Holds(lease)) return false;
    return TRY(Query(connection, "UPDATE jobs SET lease_expires_at = ? WHERE number = ?",
                     expires_at, head.number)
                   .Run()) == 1;
  }
  return TRY(Query(connection,
                   "UPDATE chunks SET lease_expires_at = ?1, rows_done = ?2, bytes_done = ?3, "
                   "attempts = CASE WHEN ?4 IN ('', position) THEN attempts ELSE 1 END, "
                   "position = CASE ?4 WHEN '' THEN position ELSE ?4 END "
                   "WHERE job = ?5 AND chunk_index = ?6 AND state = 'leased' "
                   "AND lease_owner = ?7 AND lease_token = ?8",
                   expires_at, renewal.progress.rows, renewal.progress.bytes,
                   renewal.progress.position, head.number, lease.chunk, lease.owner, lease.token)
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

Result<Claims> SqliteStore::ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                                        std::string_view owner,
                                        std::chrono::milliseconds duration) {
  if (owner.empty()) return Fail(ErrorCode::kInvalidArgument, "a lease needs an owner");
  return database_.Write(sql::Durability::kProcess, [&](Connection& connection) -> Result<Claims> {
    Claims claims;
    const std::optional<sql::JobHead> head = TRY(sql::FindHead(connection, job_id));
    if (!head || !head->Processing()) return claims;
    claims.cancel_requested = head->cancel_requested;
    if (head->cancel_requested || head->phase < JobPhase::kProcessing) return claims;
    const Timestamp now = clock_.Now();
    claims.chunks =
        TRY(Claimable(connection, *head, job_id, after, std::min(limit, kSettlementsMax), now));
    for (Chunk& chunk : claims.chunks)
      TRY(ClaimChunk(connection, head->number, chunk, owner, now + duration));
    if (claims.chunks.empty()) claims.again_at = TRY(FirstDue(connection, *head, after, now));
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
          if (!answer.applied) {
            answer.applied = TRY(ClosedBefore(connection, head->number, settlement));
            answer.chunks_open = answer.applied ? head->chunks_open() : 0;
            continue;
          }
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

Result<std::vector<bool>> SqliteStore::Renew(std::span<const Renewal> renewals,
                                             std::chrono::milliseconds duration) {
  TRY(sql::CheckRenewals(renewals));
  if (renewals.empty()) return std::vector<bool>();
  return database_.Write(
      sql::Durability::kProcess, [&](Connection& connection) -> Result<std::vector<bool>> {
        JobHeads heads(connection);
        const Timestamp now = clock_.Now();
        std::set<int64_t> touched;
        std::vector<bool> answers;
        answers.reserve(renewals.size());
        for (const Renewal& renewal : renewals) {
          const sql::JobHead* head = TRY(heads.Find(renewal.lease.job_id));
          const bool held =
              head != nullptr && TRY(RenewLease(connection, *head, renewal, now + duration));
          if (held && touched.insert(head->number).second)
            TRY(sql::Touch(connection, head->number, now));
          answers.push_back(held);
        }
        return answers;
      });
}

Result<std::vector<bool>> SqliteStore::CancelRequested(std::span<const std::string> job_ids) {
  return database_.Read([&](Connection& connection) -> Result<std::vector<bool>> {
    std::vector<bool> requested;
    for (const std::string& job_id : job_ids) {
      Query row(connection, "SELECT cancel_requested_at IS NOT NULL FROM jobs WHERE id = ?",
                std::string_view(job_id));
      requested.push_back(TRY(row.Next()) && row.Integer() != 0);
    }
    return requested;
  });
}

}  // namespace spillway::store
