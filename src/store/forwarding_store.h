#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/job_store.h"

namespace spillway::store {

/// Passes every call on to another store, which outlives it: the base of stores that change one
/// thing, in tests and benches.
class ForwardingStore : public JobStore {
 public:
  explicit ForwardingStore(JobStore& store) : store_(store) {}

  Result<Created> Create(const engine::Job& job, bool fresh) override {
    return store_.Create(job, fresh);
  }
  Result<engine::Job> Get(std::string_view job_id) override { return store_.Get(job_id); }
  Result<JobPage> List(const JobFilter& filter, std::string_view cursor, size_t limit) override {
    return store_.List(filter, cursor, limit);
  }
  Result<std::vector<engine::Transition>> History(std::string_view job_id) override {
    return store_.History(job_id);
  }
  Result<std::optional<engine::Job>> Admit(std::string_view group, int64_t parallel_max) override {
    return store_.Admit(group, parallel_max);
  }
  Result<engine::Job> AcquireJob(std::string_view job_id, std::string_view owner,
                                 std::chrono::milliseconds duration) override {
    return store_.AcquireJob(job_id, owner, duration);
  }
  Result<engine::Job> Update(const engine::Lease& lease, const JobUpdate& update) override {
    return store_.Update(lease, update);
  }
  Result<engine::Job> RequestCancel(std::string_view job_id, std::string_view actor,
                                    std::string_view cause) override {
    return store_.RequestCancel(job_id, actor, cause);
  }
  Result<> AddChunks(const engine::Lease& lease, std::span<const NewChunk> chunks) override {
    return store_.AddChunks(lease, chunks);
  }
  Result<Claims> ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                             std::string_view owner, std::chrono::milliseconds duration) override {
    return store_.ClaimChunks(job_id, after, limit, owner, duration);
  }
  Result<std::vector<Settled>> Settle(std::span<const Settlement> settlements) override {
    return store_.Settle(settlements);
  }
  Result<engine::Job> MarkLost(const engine::Lease& lease,
                               std::span<const LostChunk> lost) override {
    return store_.MarkLost(lease, lost);
  }
  Result<std::vector<bool>> Renew(std::span<const Renewal> renewals,
                                  std::chrono::milliseconds duration) override {
    return store_.Renew(renewals, duration);
  }
  Result<std::vector<bool>> CancelRequested(std::span<const std::string> job_ids) override {
    return store_.CancelRequested(job_ids);
  }
  Result<std::vector<engine::Chunk>> ListChunks(std::string_view job_id,
                                                std::optional<engine::ChunkState> state,
                                                int64_t after, size_t limit) override {
    return store_.ListChunks(job_id, state, after, limit);
  }
  Result<engine::Job> Redrive(std::string_view job_id, std::string_view actor) override {
    return store_.Redrive(job_id, actor);
  }
  Result<std::vector<engine::Job>> Stalled(const StalledFilter& filter, size_t limit) override {
    return store_.Stalled(filter, limit);
  }
  Result<int64_t> CountAhead(std::string_view job_id) override { return store_.CountAhead(job_id); }
  Result<std::vector<std::string>> WaitingGroups(Timestamp before) override {
    return store_.WaitingGroups(before);
  }
  Result<Fired> Fire(const Firing& firing) override { return store_.Fire(firing); }
  Result<std::vector<ScheduleRecord>> Schedules() override { return store_.Schedules(); }
  Result<std::vector<engine::Job>> Expirable(const ExpiryFilter& filter, size_t limit) override {
    return store_.Expirable(filter, limit);
  }
  Result<engine::Job> BeginExpiry(const engine::Job& seen, int64_t objects,
                                  int64_t bytes) override {
    return store_.BeginExpiry(seen, objects, bytes);
  }
  Result<engine::Job> EndExpiry(std::string_view job_id) override {
    return store_.EndExpiry(job_id);
  }
  Result<std::string> SigningKeyId() override { return store_.SigningKeyId(); }
  Result<std::string> RecordSigningKey(std::string_view known, std::string_view key_id) override {
    return store_.RecordSigningKey(known, key_id);
  }

 protected:
  JobStore& store_;
};

}  // namespace spillway::store
