#include "store/postgres/postgres_store.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "postgres/parameter.h"
#include "store/sql/job_head.h"
#include "store/sql/records.h"

namespace spillway::store::postgres_state {
namespace {

using engine::Lease;
using postgres::Parameter;

/// Columns of a set-based statement: arrays of one length.
using Integers = std::vector<int64_t>;
using Texts = std::vector<std::string>;

Parameter Array(const Integers& values) { return Parameter(std::span<const int64_t>(values)); }
Parameter Array(const Texts& values) { return Parameter(std::span<const std::string>(values)); }

/// A job that gives out no chunks is asked for none. Only where there are none is the end of the
/// first pause looked for.
constexpr char kClaim[] =
    "WITH head AS MATERIALIZED (SELECT number, chunks_total, "
    "cancel_requested_at IS NOT NULL AS cancel_requested, cancel_requested_at IS NULL "
    "AND phase IN ('processing', 'finalizing', 'completed') AS gives_out "
    "FROM spillway.jobs WHERE id = $1 AND state = 'processing') "
    "SELECT h.cancel_requested, CASE WHEN k.job IS NULL AND h.gives_out THEN "
    "(SELECT min(c.not_before) FROM spillway.chunks c WHERE c.job = h.number "
    "AND c.chunk_index > $2::bigint AND c.chunk_index < h.chunks_total AND c.result = '' "
    "AND c.state = 'pending' AND c.not_before > $5::bigint) END, k.job IS NOT NULL, "
    "k.chunk_index, k.state, k.spec, k.planned, k.attempts, k.not_before, k.result, "
    "k.failure_code, k.failure_message, k.failure_retryable, k.failure_retry_after_ms, "
    "k.lease_owner, k.lease_token, k.lease_expires_at, k.rows_done, k.bytes_done, "
    "k.position FROM head h "
    "LEFT JOIN LATERAL spillway.claim_chunks(h.number, $2::bigint, h.chunks_total, "
    "CASE WHEN h.gives_out THEN $3::bigint ELSE 0 END, $4, $5::bigint, $6::bigint) k ON true "
    "ORDER BY k.chunk_index";

/// The job's row is locked first, here and wherever both change: its sums, and who sees the last
/// chunk go, follow the order of commits.
constexpr char kSettle[] =
    "WITH wanted AS (SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], "
    "$5::bigint[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], "
    "$11::bigint[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[], "
    "$18::text[]) "
    "AS w (n, job_id, chunk_index, owner, token, kind, result, written, excluded, failed, bytes, "
    "code, message, retryable, retry_after_ms, not_before, position)), "
    "head AS MATERIALIZED (SELECT number, id FROM spillway.jobs WHERE id = ANY ($2::text[]) "
    "AND state = 'processing' ORDER BY number FOR NO KEY UPDATE), "
    "settled AS (UPDATE spillway.chunks c SET lease_owner = '', lease_expires_at = 0, "
    "rows_done = 0, bytes_done = 0, "
    "position = CASE WHEN w.kind IN (1, 3, 4) THEN w.position ELSE '' END, "
    "state = (ARRAY['succeeded', 'pending', 'dead', 'pending', 'pending'])[w.kind + 1], "
    "result = CASE w.kind WHEN 0 THEN w.result ELSE c.result END, "
    "attempts = CASE WHEN w.kind = 4 THEN 0 "
    "WHEN w.kind IN (1, 3) AND w.position NOT IN ('', c.position) THEN (w.kind = 1)::integer "
    "WHEN w.kind = 3 THEN greatest(c.attempts - 1, 0) ELSE c.attempts END, "
    "not_before = CASE WHEN w.kind IN (1, 3, 4) THEN w.not_before ELSE c.not_before END, "
    "failure_code = CASE WHEN w.kind >= 3 THEN c.failure_code ELSE nullif(w.code, '') END, "
    "failure_message = CASE WHEN w.kind >= 3 THEN c.failure_message ELSE w.message END, "
    "failure_retryable = CASE WHEN w.kind >= 3 THEN c.failure_retryable ELSE w.retryable END, "
    "failure_retry_after_ms = CASE WHEN w.kind >= 3 THEN c.failure_retry_after_ms "
    "ELSE nullif(w.retry_after_ms, -1) END "
    "FROM wanted w JOIN head h ON h.id = w.job_id WHERE c.job = h.number "
    "AND c.chunk_index = w.chunk_index AND c.state = 'leased' AND c.lease_token = w.token "
    "AND c.lease_owner = w.owner "
    "RETURNING w.n, c.job, w.kind, w.written, w.excluded, w.failed, w.bytes), "
    "summed AS (UPDATE spillway.jobs j SET chunks_succeeded = j.chunks_succeeded + s.succeeded, "
    "chunks_dead = j.chunks_dead + s.dead, written = j.written + s.written, "
    "excluded = j.excluded + s.excluded, failed = j.failed + s.failed, bytes = j.bytes + s.bytes, "
    "updated_at = $17::bigint FROM (SELECT job, "
    "count(*) FILTER (WHERE kind = 0) AS succeeded, count(*) FILTER (WHERE kind = 2) AS dead, "
    "sum(written)::bigint AS written, sum(excluded)::bigint AS excluded, "
    "sum(failed)::bigint AS failed, sum(bytes)::bigint AS bytes FROM settled GROUP BY job) s "
    "WHERE j.number = s.job "
    "RETURNING j.number, j.chunks_total - j.chunks_succeeded - j.chunks_dead AS open) "
    "SELECT s.n, m.open FROM settled s JOIN summed m ON m.number = s.job";

/// Settlements that repeat one that closed its chunk. A statement of its own, since it must see
/// what another has committed while kSettle waited for the job's row.
constexpr char kClosedBefore[] =
    "SELECT w.n, j.chunks_total - j.chunks_succeeded - j.chunks_dead "
    "FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[]) "
    "AS w (n, job_id, chunk_index, token, state) "
    "JOIN spillway.jobs j ON j.id = w.job_id AND j.state = 'processing' "
    "JOIN spillway.chunks c ON c.job = j.number AND c.chunk_index = w.chunk_index "
    "AND c.lease_token = w.token AND c.state = w.state";

/// A crash of the server may undo a renewal: the next one follows soon. A position that stays is
/// not written again, so a long one stays where it is stored.
constexpr char kRenew[] =
    "WITH no_sync AS (SELECT set_config('synchronous_commit', 'off', true)), "
    "wanted AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], "
    "$7::bigint[], $8::bigint[], $9::text[]) "
    "WITH ORDINALITY AS w (job_id, chunk_index, owner, token, rows, bytes, position, n)), "
    "head AS MATERIALIZED (SELECT number, id, state, lease_owner, lease_token "
    "FROM spillway.jobs, no_sync WHERE id = ANY ($1::text[]) ORDER BY number "
    "FOR NO KEY UPDATE OF jobs), "
    "of_chunks AS (UPDATE spillway.chunks c SET lease_expires_at = $5::bigint, "
    "rows_done = w.rows, bytes_done = w.bytes, "
    "attempts = CASE WHEN w.position IN ('', c.position) THEN c.attempts ELSE 1 END, "
    "position = CASE WHEN w.position IN ('', c.position) THEN c.position ELSE w.position END "
    "FROM wanted w JOIN head h ON h.id = w.job_id WHERE h.state = 'processing' "
    "AND c.job = h.number AND c.chunk_index = w.chunk_index AND c.state = 'leased' "
    "AND c.lease_owner = w.owner AND c.lease_token = w.token RETURNING w.n, c.job, false AS own), "
    "held AS (SELECT * FROM of_chunks UNION ALL SELECT w.n, h.number, true FROM wanted w "
    "JOIN head h ON h.id = w.job_id WHERE h.state = 'processing' AND w.chunk_index = -1 "
    "AND h.lease_owner = w.owner AND h.lease_token = w.token AND w.owner <> ''), "
    "touched AS (UPDATE spillway.jobs j SET updated_at = $6::bigint, lease_expires_at = "
    "CASE WHEN t.own THEN $5::bigint ELSE j.lease_expires_at END "
    "FROM (SELECT job, bool_or(own) AS own FROM held GROUP BY job) t WHERE j.number = t.job) "
    "SELECT held.n IS NOT NULL FROM wanted w LEFT JOIN held ON held.n = w.n ORDER BY w.n";

constexpr char kCancelRequested[] =
    "SELECT coalesce(j.cancel_requested_at IS NOT NULL AND j.id IS NOT NULL, false) "
    "FROM unnest($1::text[]) WITH ORDINALITY AS w (job_id, n) "
    "LEFT JOIN spillway.jobs j ON j.id = w.job_id ORDER BY w.n";

/// The one column of the rows.
std::vector<bool> Booleans(const postgres::Rows& rows) {
  std::vector<bool> answers;
  for (int row = 0; row < rows.size(); ++row) answers.push_back(rows.Boolean(row, 0));
  return answers;
}

/// A chunk's lease, as one call's settlements name it.
using LeaseName = std::tuple<std::string_view, int64_t, int64_t>;

LeaseName NameOf(const Lease& lease) { return {lease.job_id, lease.chunk, lease.token}; }

/// The arrays of kSettle.
class SettlementColumns {
 public:
  void Add(int64_t n, const Settlement& settlement) {
    const sql::FailureColumns failure(settlement.failure);
    const bool fails =
        settlement.kind == Settlement::Kind::kRetry || settlement.kind == Settlement::Kind::kDead;
    const bool succeeds = settlement.kind == Settlement::Kind::kSucceeded;
    const engine::Counts counts = succeeds ? settlement.counts : engine::Counts();
    n_.push_back(n);
    jobs_.push_back(Storable(settlement.lease.job_id));
    chunks_.push_back(settlement.lease.chunk);
    owners_.push_back(Storable(settlement.lease.owner));
    tokens_.push_back(settlement.lease.token);
    kinds_.push_back(static_cast<int64_t>(settlement.kind));
    results_.push_back(succeeds ? Storable(settlement.result) : "");
    written_.push_back(counts.written);
    excluded_.push_back(counts.excluded);
    failed_.push_back(counts.failed);
    bytes_.push_back(counts.bytes);
    codes_.emplace_back(fails ? failure.code.value_or("") : "");
    messages_.push_back(fails ? Storable(failure.message) : "");
    retryables_.push_back(fails ? failure.retryable : 0);
    retry_afters_.push_back(fails ? failure.retry_after_ms.value_or(-1) : -1);
    not_befores_.push_back(Micros(settlement.not_before));
    positions_.push_back(Storable(settlement.position));
  }

  std::vector<Parameter> Parameters(Timestamp now) const {
    return {Array(n_),           Array(jobs_),           Array(chunks_),
            Array(owners_),      Array(tokens_),         Array(kinds_),
            Array(results_),     Array(written_),        Array(excluded_),
            Array(failed_),      Array(bytes_),          Array(codes_),
            Array(messages_),    Array(retryables_),     Array(retry_afters_),
            Array(not_befores_), Parameter(Micros(now)), Array(positions_)};
  }

 private:
  Integers n_, chunks_, tokens_, kinds_, written_, excluded_, failed_, bytes_, retryables_,
      retry_afters_, not_befores_;
  Texts jobs_, owners_, results_, codes_, messages_, positions_;
};

/// Answers the settlements that were not applied, where they repeat one that was.
Result<> FindClosedBefore(Database& database, std::span<const Settlement> settlements,
                          std::span<Settled> answers) {
  Integers n;
  Texts jobs;
  Integers chunks;
  Integers tokens;
  Texts states;
  for (size_t i = 0; i < settlements.size(); ++i) {
    const Settlement& settlement = settlements[i];
    const std::optional<engine::ChunkState> closed = sql::ClosingState(settlement.kind);
    if (answers[i].applied || !closed) continue;
    n.push_back(static_cast<int64_t>(i));
    jobs.push_back(Storable(settlement.lease.job_id));
    chunks.push_back(settlement.lease.chunk);
    tokens.push_back(settlement.lease.token);
    states.emplace_back(engine::Name(*closed));
  }
  if (n.empty()) return {};
  const postgres::Rows rows =
      TRY(database.Run(kClosedBefore, std::vector<Parameter>{Array(n), Array(jobs), Array(chunks),
                                                             Array(tokens), Array(states)}));
  for (int row = 0; row < rows.size(); ++row) {
    Settled& answer = answers[static_cast<size_t>(rows.Integer(row, 0))];
    answer.applied = true;
    answer.chunks_open = rows.Integer(row, 1);
  }
  return {};
}

}  // namespace

Result<> PostgresStore::PutChunks(sql::Session& session, int64_t job,
                                  std::span<const NewChunk> chunks) {
  std::map<int64_t, const NewChunk*> last;  // one statement cannot put a chunk twice
  for (const NewChunk& chunk : chunks) last[chunk.index] = &chunk;
  Integers indices;
  Texts specs;
  Integers planned;
  for (const auto& [index, chunk] : last) {
    indices.push_back(index);
    specs.push_back(Storable(chunk->spec));
    planned.push_back(chunk->planned);
  }
  TRY(static_cast<PostgresSession&>(session).connection().Execute(
      "INSERT INTO chunks (job, chunk_index, state, spec, planned) "
      "SELECT $1::bigint, chunk_index, 'pending', spec, planned "
      "FROM unnest($2::bigint[], $3::text[], $4::bigint[]) AS c (chunk_index, spec, planned) "
      "ON CONFLICT (job, chunk_index) DO UPDATE SET spec = excluded.spec, planned = "
      "excluded.planned",
      {job, Array(indices), Array(specs), Array(planned)}));
  return {};
}

/// A claim that nobody hears of would leave its chunks leased to nobody.
Result<Claims> PostgresStore::ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                                          std::string_view owner,
                                          std::chrono::milliseconds duration) {
  if (owner.empty()) return Fail(ErrorCode::kInvalidArgument, "a lease needs an owner");
  const Timestamp now = clock_.Now();
  const std::vector<Parameter> parameters = {
      Storable(job_id), after,       std::min(limit, kSettlementsMax),
      Storable(owner),  Micros(now), Micros(now + duration)};
  const postgres::Rows rows = TRY(database_.RunOnceHeard(kClaim, parameters));
  Claims claims;
  for (int row = 0; row < rows.size(); ++row) {
    claims.cancel_requested = rows.Boolean(row, 0);
    if (!rows.Boolean(row, 2)) {
      RowsCursor pause(rows, row, 1);
      claims.again_at = pause.TimeOrNull();
    } else {
      RowsCursor chunk(rows, row, 3);
      claims.chunks.push_back(TRY(sql::ReadChunk(chunk, job_id)));
    }
  }
  return claims;
}

Result<std::vector<Settled>> PostgresStore::Settle(std::span<const Settlement> settlements) {
  TRY(sql::CheckSettlements(settlements));
  if (settlements.empty()) return std::vector<Settled>();
  SettlementColumns columns;
  std::map<LeaseName, size_t> first_of_lease;
  for (size_t i = 0; i < settlements.size(); ++i) {
    if (!first_of_lease.emplace(NameOf(settlements[i].lease), i).second) continue;
    columns.Add(static_cast<int64_t>(i), settlements[i]);
  }
  const postgres::Rows rows = TRY(database_.Run(kSettle, columns.Parameters(clock_.Now())));
  std::vector<Settled> answers(settlements.size());
  for (int row = 0; row < rows.size(); ++row) {
    Settled& answer = answers[static_cast<size_t>(rows.Integer(row, 0))];
    answer.applied = true;
    answer.chunks_open = rows.Integer(row, 1);
  }
  // The statement returns how many are open at its end. Counting back gives the number after each.
  std::map<std::string_view, int64_t> closed_later;
  for (size_t i = settlements.size(); i-- > 0;) {
    if (!answers[i].applied) continue;
    int64_t& closed = closed_later[settlements[i].lease.job_id];
    answers[i].chunks_open += closed;
    const Settlement::Kind kind = settlements[i].kind;
    if (sql::ClosingState(kind)) ++closed;
  }
  TRY(FindClosedBefore(database_, settlements, answers));
  for (size_t i = 0; i < settlements.size(); ++i) {
    const size_t first = first_of_lease.at(NameOf(settlements[i].lease));
    const bool repeats = first != i && settlements[first].kind == settlements[i].kind;
    if (repeats && sql::ClosingState(settlements[i].kind)) answers[i] = answers[first];
  }
  return answers;
}

Result<std::vector<bool>> PostgresStore::Renew(std::span<const Renewal> renewals,
                                               std::chrono::milliseconds duration) {
  TRY(sql::CheckRenewals(renewals));
  if (renewals.empty()) return std::vector<bool>();
  Texts jobs;
  Integers chunks;
  Texts owners;
  Integers tokens;
  Integers rows_done;
  Integers bytes_done;
  Texts positions;
  for (const auto& [lease, progress] : renewals) {
    jobs.push_back(Storable(lease.job_id));
    chunks.push_back(lease.chunk);
    owners.push_back(Storable(lease.owner));
    tokens.push_back(lease.token);
    rows_done.push_back(progress.rows);
    bytes_done.push_back(progress.bytes);
    positions.push_back(Storable(progress.position));
  }
  const Timestamp now = clock_.Now();
  const postgres::Rows rows = TRY(database_.Run(
      kRenew, std::vector<Parameter>{Array(jobs), Array(chunks), Array(owners), Array(tokens),
                                     Micros(now + duration), Micros(now), Array(rows_done),
                                     Array(bytes_done), Array(positions)}));
  return Booleans(rows);
}

Result<std::vector<bool>> PostgresStore::CancelRequested(std::span<const std::string> job_ids) {
  if (job_ids.empty()) return std::vector<bool>();
  Texts jobs;
  for (const std::string& job_id : job_ids) jobs.push_back(Storable(job_id));
  return Booleans(TRY(database_.Run(kCancelRequested, std::vector<Parameter>{Array(jobs)})));
}

}  // namespace spillway::store::postgres_state
