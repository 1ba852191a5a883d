#include <algorithm>

#include "store/memory/memory_store.h"

namespace spillway::store {
namespace {

using engine::Chunk;
using engine::ChunkState;
using engine::Job;
using engine::JobPhase;
using engine::JobState;
using engine::Lease;

bool Holds(const Job& job, const Lease& lease) {
  return lease.chunk == Lease::kJob && !lease.owner.empty() && job.lease_owner == lease.owner &&
         job.lease_token == lease.token;
}

bool Holds(const Chunk& chunk, const Lease& lease) {
  return chunk.state == ChunkState::kLeased && chunk.lease_owner == lease.owner &&
         chunk.lease_token == lease.token;
}

/// How many attempts count once the chunk is at `position`: one that advances forgives those before.
int64_t AttemptsAt(const Chunk& chunk, const std::string& position) {
  const bool advances = !position.empty() && position != chunk.progress.position;
  return advances ? 1 : chunk.attempts;
}

/// Whether the settlement repeats one that closed the chunk: tokens are given once.
bool ClosedBefore(const Chunk& chunk, const Settlement& settlement) {
  return chunk.lease_token == settlement.lease.token &&
         ((chunk.state == ChunkState::kSucceeded &&
           settlement.kind == Settlement::Kind::kSucceeded) ||
          (chunk.state == ChunkState::kDead && settlement.kind == Settlement::Kind::kDead));
}

Result<> CheckSettlements(std::span<const Settlement> settlements) {
  std::map<std::string_view, size_t> of_job;
  for (const Settlement& settlement : settlements) {
    if (++of_job[settlement.lease.job_id] > kSettlementsMax) {
      return Fail(ErrorCode::kInvalidArgument, "more than " + std::to_string(kSettlementsMax) +
                                                   " settlements of job " +
                                                   settlement.lease.job_id + " in one call");
    }
    if (std::max(settlement.result.size(), settlement.position.size()) >
        engine::kChunkFieldBytesMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  "job " + settlement.lease.job_id + ", chunk " +
                      std::to_string(settlement.lease.chunk) + ": a result or position above " +
                      std::to_string(engine::kChunkFieldBytesMax) + " bytes");
    }
    if (settlement.kind == Settlement::Kind::kDead && !settlement.failure) {
      return Fail(ErrorCode::kInvalidArgument, "job " + settlement.lease.job_id + ", chunk " +
                                                   std::to_string(settlement.lease.chunk) +
                                                   ": dead without a cause");
    }
  }
  return {};
}

}  // namespace

Result<> MemoryStore::AddChunks(const Lease& lease, std::span<const NewChunk> chunks) {
  if (chunks.size() > kNewChunksMax) {
    return Fail(ErrorCode::kInvalidArgument, std::to_string(chunks.size()) +
                                                 " chunks in one call; at most " +
                                                 std::to_string(kNewChunksMax) + " are allowed");
  }
  std::lock_guard lock(database_.mutex_);
  Entry& entry = *TRY(Find(lease.job_id));
  if (entry.job.state != JobState::kProcessing || !Holds(entry.job, lease)) {
    return Fail(ErrorCode::kConflict, "job " + lease.job_id + ": its lease was lost");
  }
  if (entry.job.phase >= JobPhase::kProcessing) {
    return Fail(ErrorCode::kConflict, "job " + lease.job_id + ": it is planned already");
  }
  for (const NewChunk& added : chunks) {
    Chunk& chunk = entry.chunks[added.index];
    chunk.job_id = lease.job_id;
    chunk.index = added.index;
    chunk.spec = added.spec;
    chunk.planned = added.planned;
  }
  entry.job.updated_at = clock_.Now();
  return {};
}

Result<Claims> MemoryStore::ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                                        std::string_view owner,
                                        std::chrono::milliseconds duration) {
  if (owner.empty()) return Fail(ErrorCode::kInvalidArgument, "a lease needs an owner");
  std::lock_guard lock(database_.mutex_);
  Claims claims;
  const Result<Entry*> entry = Find(job_id);
  if (!entry || (*entry)->job.state != JobState::kProcessing) return claims;
  const Job& job = (*entry)->job;
  claims.cancel_requested = job.cancel_requested_at.has_value();
  if (claims.cancel_requested || job.phase < JobPhase::kProcessing) return claims;
  const Timestamp now = clock_.Now();
  const size_t most = std::min(limit, kSettlementsMax);
  std::vector<Chunk*> due;
  auto& chunks = (*entry)->chunks;
  for (auto next = chunks.upper_bound(after);
       next != chunks.end() && next->first < job.chunks_total; ++next) {
    Chunk& chunk = next->second;
    const bool waits = chunk.state == ChunkState::kPending && chunk.not_before > now;
    if (waits)
      claims.again_at = std::min(claims.again_at.value_or(chunk.not_before), chunk.not_before);
    const bool abandoned = chunk.state == ChunkState::kLeased && chunk.lease_expires_at <= now;
    if (waits || (chunk.state != ChunkState::kPending && !abandoned)) continue;
    due.push_back(&chunk);
  }
  std::ranges::stable_sort(due, {}, &Chunk::not_before);
  if (due.size() > most) due.resize(most);
  std::ranges::sort(due, {}, &Chunk::index);
  for (Chunk* chunk : due) {
    chunk->state = ChunkState::kLeased;
    chunk->lease_owner = owner;
    chunk->lease_expires_at = now + duration;
    ++chunk->lease_token;
    ++chunk->attempts;
    chunk->progress.rows = chunk->progress.bytes = 0;
    claims.chunks.push_back(*chunk);
  }
  if (!claims.chunks.empty()) claims.again_at.reset();
  return claims;
}

Settled MemoryStore::SettleChunk(const Settlement& settlement) {
  const Result<Entry*> entry = Find(settlement.lease.job_id);
  if (!entry || (*entry)->job.state != JobState::kProcessing) return {};
  Job& job = (*entry)->job;
  const auto found = (*entry)->chunks.find(settlement.lease.chunk);
  if (found == (*entry)->chunks.end()) return {};
  Chunk& chunk = found->second;
  if (ClosedBefore(chunk, settlement)) return {.applied = true, .chunks_open = job.chunks_open()};
  if (!Holds(chunk, settlement.lease)) return {};
  const int64_t attempts = AttemptsAt(chunk, settlement.position);
  chunk.lease_owner.clear();
  chunk.lease_expires_at = Timestamp();
  chunk.progress = {};
  switch (settlement.kind) {
    case Settlement::Kind::kSucceeded:
      chunk.state = ChunkState::kSucceeded;
      chunk.result = settlement.result;
      chunk.failure.reset();
      ++job.chunks_succeeded;
      job.counts.written += settlement.counts.written;
      job.counts.excluded += settlement.counts.excluded;
      job.counts.failed += settlement.counts.failed;
      job.counts.bytes += settlement.counts.bytes;
      break;
    case Settlement::Kind::kRetry:
      chunk.state = ChunkState::kPending;
      chunk.attempts = attempts;
      chunk.not_before = settlement.not_before;
      chunk.progress.position = settlement.position;
      chunk.failure = settlement.failure;
      break;
    case Settlement::Kind::kDead:
      chunk.state = ChunkState::kDead;
      chunk.failure = settlement.failure;
      ++job.chunks_dead;
      break;
    case Settlement::Kind::kReleased:
    case Settlement::Kind::kPostponed:
      chunk.state = ChunkState::kPending;
      chunk.not_before = settlement.not_before;
      chunk.progress.position = settlement.position;
      chunk.attempts = std::max<int64_t>(attempts - 1, 0);
      if (settlement.kind == Settlement::Kind::kPostponed) chunk.attempts = 0;
      break;
  }
  job.updated_at = clock_.Now();
  return {.applied = true, .chunks_open = job.chunks_open()};
}

Result<std::vector<Settled>> MemoryStore::Settle(std::span<const Settlement> settlements) {
  TRY(CheckSettlements(settlements));
  std::lock_guard lock(database_.mutex_);
  std::vector<Settled> answers;
  for (const Settlement& settlement : settlements) answers.push_back(SettleChunk(settlement));
  return answers;
}

Result<Job> MemoryStore::MarkLost(const Lease& lease, std::span<const LostChunk> lost) {
  if (lost.size() > kLostChunksMax) {
    return Fail(ErrorCode::kInvalidArgument, std::to_string(lost.size()) +
                                                 " lost chunks in one call; at most " +
                                                 std::to_string(kLostChunksMax) + " are allowed");
  }
  std::lock_guard lock(database_.mutex_);
  Entry& entry = *TRY(Find(lease.job_id));
  Job& job = entry.job;
  if (job.state != JobState::kProcessing || !Holds(job, lease)) {
    return Fail(ErrorCode::kConflict, "job " + lease.job_id + ": its lease was lost");
  }
  if (job.phase >= JobPhase::kCompleted) {
    return Fail(ErrorCode::kConflict, "job " + lease.job_id + ": its outcome is decided");
  }
  for (const LostChunk& one : lost) {
    const auto found = entry.chunks.find(one.index);
    if (found == entry.chunks.end() || found->second.state != ChunkState::kSucceeded) continue;
    Chunk& chunk = found->second;
    chunk.state = ChunkState::kDead;
    chunk.result.clear();
    chunk.failure = one.cause;
    --job.chunks_succeeded;
    ++job.chunks_dead;
    job.counts.written -= one.counts.written;
    job.counts.excluded -= one.counts.excluded;
    job.counts.failed -= one.counts.failed;
    job.counts.bytes -= one.counts.bytes;
  }
  job.updated_at = clock_.Now();
  return job;
}

Result<std::vector<bool>> MemoryStore::Renew(std::span<const Renewal> renewals,
                                             std::chrono::milliseconds duration) {
  for (const Renewal& renewal : renewals) {
    if (renewal.progress.position.size() > engine::kChunkFieldBytesMax)
      return Fail(ErrorCode::kInvalidArgument, "a position is too long");
  }
  std::lock_guard lock(database_.mutex_);
  const Timestamp now = clock_.Now();
  std::vector<bool> held;
  for (const Renewal& renewal : renewals) held.push_back(RenewLease(renewal, now, duration));
  return held;
}

bool MemoryStore::RenewLease(const Renewal& renewal, Timestamp now,
                             std::chrono::milliseconds duration) {
  const Lease& lease = renewal.lease;
  const Result<Entry*> entry = Find(lease.job_id);
  if (!entry || (*entry)->job.state != JobState::kProcessing) return false;
  Job& job = (*entry)->job;
  if (lease.chunk == Lease::kJob) {
    if (!Holds(job, lease)) return false;
    job.lease_expires_at = now + duration;
  } else {
    const auto found = (*entry)->chunks.find(lease.chunk);
    if (found == (*entry)->chunks.end() || !Holds(found->second, lease)) return false;
    Chunk& chunk = found->second;
    chunk.lease_expires_at = now + duration;
    chunk.attempts = AttemptsAt(chunk, renewal.progress.position);
    std::string before = std::move(chunk.progress.position);
    chunk.progress = renewal.progress;
    if (chunk.progress.position.empty()) chunk.progress.position = std::move(before);
  }
  job.updated_at = now;
  return true;
}

Result<std::vector<bool>> MemoryStore::CancelRequested(std::span<const std::string> job_ids) {
  std::lock_guard lock(database_.mutex_);
  std::vector<bool> requested;
  for (const std::string& job_id : job_ids) {
    const Result<Entry*> entry = Find(job_id);
    requested.push_back(entry && (*entry)->job.cancel_requested_at.has_value());
  }
  return requested;
}

Result<std::vector<Chunk>> MemoryStore::ListChunks(std::string_view job_id,
                                                   std::optional<ChunkState> state, int64_t after,
                                                   size_t limit) {
  std::lock_guard lock(database_.mutex_);
  const Entry& entry = *TRY(Find(job_id));
  std::vector<Chunk> chunks;
  for (auto next = entry.chunks.upper_bound(after);
       next != entry.chunks.end() && next->first < entry.job.chunks_total && chunks.size() < limit;
       ++next) {
    if (!state || next->second.state == *state) chunks.push_back(next->second);
  }
  return chunks;
}

}  // namespace spillway::store
