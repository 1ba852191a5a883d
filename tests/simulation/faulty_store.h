#pragma once

#include "simulation/invariants.h"
#include "simulation/process.h"
#include "store/job_store.h"

namespace spillway::simulation {

/// A store as one process sees it. The invariants hear of every change.
class FaultyStore final : public store::JobStore {
 public:
  FaultyStore(JobStore& store, SimulatedProcess& process, Invariants& invariants)
      : store_(store), process_(process), invariants_(invariants) {}

  Result<store::Created> Create(const engine::Job& job, bool fresh) override;
  Result<engine::Job> Get(std::string_view job_id) override;
  Result<store::JobPage> List(const store::JobFilter& filter, std::string_view cursor,
                              size_t limit) override;
  Result<std::vector<engine::Transition>> History(std::string_view job_id) override;
  Result<std::optional<engine::Job>> Admit(std::string_view group, int64_t parallel_max) override;
  Result<engine::Job> AcquireJob(std::string_view job_id, std::string_view owner,
                                 std::chrono::milliseconds duration) override;
  Result<engine::Job> Update(const engine::Lease& lease, const store::JobUpdate& update) override;
  Result<engine::Job> RequestCancel(std::string_view job_id, std::string_view actor,
                                    std::string_view cause) override;
  Result<engine::Job> MarkLost(const engine::Lease& lease,
                               std::span<const store::LostChunk> lost) override;
  Result<> AddChunks(const engine::Lease& lease, std::span<const store::NewChunk> chunks) override;
  Result<store::Claims> ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                                    std::string_view owner,
                                    std::chrono::milliseconds duration) override;
  Result<std::vector<store::Settled>> Settle(
      std::span<const store::Settlement> settlements) override;
  Result<std::vector<bool>> Renew(std::span<const store::Renewal> renewals,
                                  std::chrono::milliseconds duration) override;
  Result<std::vector<bool>> CancelRequested(std::span<const std::string> job_ids) override;
  Result<std::vector<engine::Chunk>> ListChunks(std::string_view job_id,
                                                std::optional<engine::ChunkState> state,
                                                int64_t after, size_t limit) override;
  Result<engine::Job> Redrive(std::string_view job_id, std::string_view actor) override;
  Result<int64_t> CountAhead(std::string_view job_id) override;
  Result<std::vector<engine::Job>> Stalled(const store::StalledFilter& filter,
                                           size_t limit) override;
  Result<std::vector<std::string>> WaitingGroups(Timestamp before) override;
  Result<store::Fired> Fire(const store::Firing& firing) override;
  Result<std::vector<store::ScheduleRecord>> Schedules() override;
  Result<std::vector<engine::Job>> Expirable(const store::ExpiryFilter& filter,
                                             size_t limit) override;
  Result<engine::Job> BeginExpiry(const engine::Job& seen, int64_t objects, int64_t bytes) override;
  Result<engine::Job> EndExpiry(std::string_view job_id) override;
  Result<std::string> SigningKeyId() override;
  Result<std::string> RecordSigningKey(std::string_view known, std::string_view key_id) override;

 private:
  JobStore& store_;
  SimulatedProcess& process_;
  Invariants& invariants_;
};

}  // namespace spillway::simulation
