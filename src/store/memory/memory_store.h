#pragma once

#include "base/clock.h"
#include "store/job_store.h"
#include "store/memory/memory_database.h"

namespace spillway::store {

/// Jobs and chunks in memory, for tests and simulation. `database` and `clock` outlive the store.
class MemoryStore final : public JobStore {
 public:
  MemoryStore(MemoryDatabase& database, Clock& clock) : database_(database), clock_(clock) {}

  Result<Created> Create(const engine::Job& job, bool fresh) override;
  Result<engine::Job> Get(std::string_view job_id) override;
  Result<JobPage> List(const JobFilter& filter, std::string_view cursor, size_t limit) override;
  Result<std::vector<engine::Transition>> History(std::string_view job_id) override;
  Result<std::optional<engine::Job>> Admit(std::string_view group, int64_t parallel_max) override;
  Result<engine::Job> AcquireJob(std::string_view job_id, std::string_view owner,
                                 std::chrono::milliseconds duration) override;
  Result<engine::Job> Update(const engine::Lease& lease, const JobUpdate& update) override;
  Result<engine::Job> RequestCancel(std::string_view job_id, std::string_view actor,
                                    std::string_view cause) override;
  Result<engine::Job> Redrive(std::string_view job_id, std::string_view actor) override;
  Result<int64_t> CountAhead(std::string_view job_id) override;
  Result<std::vector<engine::Job>> Stalled(const StalledFilter& filter, size_t limit) override;
  Result<std::vector<std::string>> WaitingGroups(Timestamp before) override;
  Result<Fired> Fire(const Firing& firing) override;
  Result<std::vector<ScheduleRecord>> Schedules() override;
  Result<std::vector<engine::Job>> Expirable(const ExpiryFilter& filter, size_t limit) override;
  Result<engine::Job> BeginExpiry(const engine::Job& seen, int64_t objects, int64_t bytes) override;
  Result<engine::Job> EndExpiry(std::string_view job_id) override;
  Result<std::string> SigningKeyId() override;
  Result<std::string> RecordSigningKey(std::string_view known, std::string_view key_id) override;

  Result<> AddChunks(const engine::Lease& lease, std::span<const NewChunk> chunks) override;
  Result<Claims> ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                             std::string_view owner, std::chrono::milliseconds duration) override;
  Result<std::vector<Settled>> Settle(std::span<const Settlement> settlements) override;
  Result<engine::Job> MarkLost(const engine::Lease& lease,
                               std::span<const LostChunk> lost) override;
  Result<std::vector<bool>> Renew(std::span<const Renewal> renewals,
                                  std::chrono::milliseconds duration) override;
  Result<std::vector<bool>> CancelRequested(std::span<const std::string> job_ids) override;
  Result<std::vector<engine::Chunk>> ListChunks(std::string_view job_id,
                                                std::optional<engine::ChunkState> state,
                                                int64_t after, size_t limit) override;

 private:
  using Entry = MemoryDatabase::JobEntry;

  Result<Entry*> Find(std::string_view job_id);
  const engine::Job* Latest(std::string_view task_id);
  engine::Job PutRun(const engine::Job& job);
  Result<> Move(Entry& entry, engine::Job& job, engine::JobState to, std::string_view actor,
                std::string_view cause);
  bool RenewLease(const Renewal& renewal, Timestamp now, std::chrono::milliseconds duration);
  Settled SettleChunk(const Settlement& settlement);

  MemoryDatabase& database_;
  Clock& clock_;
};

}  // namespace spillway::store
