#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "store/job_store.h"
#include "store/sql/session.h"

namespace spillway::store::sql {

/// What job stores over SQL databases share: everything about jobs, and the rules for their chunks.
/// The tables are those of the databases' migrations. Each database claims and settles chunks in
/// its own way, since that is where most of the work is.
class SqlStore : public JobStore {
 public:
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
  Result<engine::Job> MarkLost(const engine::Lease& lease,
                               std::span<const LostChunk> lost) override;
  Result<std::vector<engine::Chunk>> ListChunks(std::string_view job_id,
                                                std::optional<engine::ChunkState> state,
                                                int64_t after, size_t limit) override;

 protected:
  using Act = std::function<Result<>(Session&)>;

  explicit SqlStore(Clock& clock) : clock_(clock) {}

  /// Runs `act` in a write transaction, which is committed on return, or undone where it returns an
  /// error. May run it more than once, each time from the start.
  virtual Result<> Transact(Durability durability, const Act& act) = 0;
  /// Runs `act`, which only reads.
  virtual Result<> Look(const Act& act) = 0;
  /// Puts or replaces chunks of the job that other tables know by this number.
  virtual Result<> PutChunks(Session& session, int64_t job, std::span<const NewChunk> chunks) = 0;

  /// Transact and Look for acts that return a value.
  template <class F>
  auto Write(Durability durability, F act) -> decltype(act(std::declval<Session&>())) {
    return Answer(act, [&](const Act& run) { return Transact(durability, run); });
  }
  template <class F>
  auto Read(F act) -> decltype(act(std::declval<Session&>())) {
    return Answer(act, [&](const Act& run) { return Look(run); });
  }

  Clock& clock_;

 private:
  template <class F, class Run>
  auto Answer(F& act, const Run& run) -> decltype(act(std::declval<Session&>())) {
    std::optional<decltype(act(std::declval<Session&>()))> answer;
    TRY(run([&](Session& session) -> Result<> {
      answer.emplace(act(session));
      if (!*answer) return std::unexpected(answer->error());
      return {};
    }));
    return *std::move(answer);
  }
};

}  // namespace spillway::store::sql
