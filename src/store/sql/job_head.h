#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "job/job.h"
#include "store/job_store.h"
#include "store/sql/session.h"

namespace spillway::store::sql {

/// What a call on chunks needs of their job: read once, and its sums written once.
struct JobHead {
  int64_t number = 0;
  engine::JobState state = engine::JobState::kPending;
  engine::JobPhase phase = engine::JobPhase::kInitializing;
  bool cancel_requested = false;
  int64_t chunks_total = 0;
  int64_t chunks_succeeded = 0;
  int64_t chunks_dead = 0;
  std::string lease_owner;
  int64_t lease_token = 0;

  int64_t chunks_open() const { return chunks_total - chunks_succeeded - chunks_dead; }
  bool Holds(const engine::Lease& lease) const {
    return lease.chunk == engine::Lease::kJob && !lease.owner.empty() &&
           lease_owner == lease.owner && lease_token == lease.token;
  }
  bool Processing() const { return state == engine::JobState::kProcessing; }
};

/// None for an unknown job.
Result<std::optional<JobHead>> FindHead(Session& session, std::string_view job_id);

/// Marks the job as touched: the rescuer leaves it alone.
Result<> Touch(Session& session, int64_t job, Timestamp now);

/// What such a settlement makes of a chunk; none where the chunk stays open.
std::optional<engine::ChunkState> ClosingState(Settlement::Kind kind);

/// What JobStore::Settle asks of its arguments.
Result<> CheckSettlements(std::span<const Settlement> settlements);
Result<> CheckRenewals(std::span<const Renewal> renewals);

}  // namespace spillway::store::sql
