#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/memory/memory_store.h"

namespace spillway::engine {

/// A job store in memory whose renewals answer what a test says, and that can be away.
class ScriptedStore final : public store::JobStore {
 public:
  explicit ScriptedStore(Clock& clock) : store_(database_, clock) {}

  /// While it is, every call fails as one to a database that does not answer.
  void SetAway(bool away) { away_ = away; }
  /// Nobody can read the job any more.
  void Lose(std::string job_id) { lost_ = std::move(job_id); }
  /// The job's or chunk's lease (`job` or `job/chunk`) is lost; others are held.
  void LoseLease(std::string lease) { lost_leases_.insert(std::move(lease)); }
  /// The job is to be cancelled.
  void AskToCancel(std::string job_id) { to_cancel_.insert(std::move(job_id)); }
  int renewals() const { return renewals_; }
  /// How many chunks each call has added.
  const std::vector<size_t>& added() const { return added_; }
  /// The leases of the last renewal.
  const std::vector<std::string>& renewed() const { return renewed_; }

  Result<std::vector<bool>> Renew(std::span<const store::Renewal> renewals,
                                  std::chrono::milliseconds duration) override {
    ++renewals_;
    renewed_.clear();
    if (away_) return Away();
    TRY(store_.Renew(renewals, duration));
    std::vector<bool> held;
    for (const auto& [lease, progress] : renewals) {
      std::string name = lease.job_id;
      if (lease.chunk != Lease::kJob) name += "/" + std::to_string(lease.chunk);
      held.push_back(!lost_leases_.contains(name));
      renewed_.push_back(std::move(name));
    }
    return held;
  }
  Result<std::vector<bool>> CancelRequested(std::span<const std::string> job_ids) override {
    if (away_) return Away();
    std::vector<bool> requested = TRY(store_.CancelRequested(job_ids));
    for (size_t i = 0; i < job_ids.size(); ++i) {
      if (to_cancel_.contains(job_ids[i])) requested[i] = true;
    }
    return requested;
  }

  Result<store::Created> Create(const Job& job, bool fresh) override {
    if (away_) return Away();
    return store_.Create(job, fresh);
  }
  Result<Job> Get(std::string_view job_id) override {
    if (away_ || job_id == lost_) return Away();
    return store_.Get(job_id);
  }
  Result<store::JobPage> List(const store::JobFilter& filter, std::string_view cursor,
                              size_t limit) override {
    if (away_) return Away();
    return store_.List(filter, cursor, limit);
  }
  Result<std::vector<Transition>> History(std::string_view job_id) override {
    if (away_) return Away();
    return store_.History(job_id);
  }
  Result<std::optional<Job>> Admit(std::string_view group, int64_t parallel_max) override {
    if (away_) return Away();
    return store_.Admit(group, parallel_max);
  }
  Result<Job> AcquireJob(std::string_view job_id, std::string_view owner,
                         std::chrono::milliseconds duration) override {
    if (away_) return Away();
    return store_.AcquireJob(job_id, owner, duration);
  }
  Result<Job> Update(const Lease& lease, const store::JobUpdate& update) override {
    if (away_) return Away();
    return store_.Update(lease, update);
  }
  Result<Job> RequestCancel(std::string_view job_id, std::string_view actor,
                            std::string_view cause) override {
    if (away_) return Away();
    return store_.RequestCancel(job_id, actor, cause);
  }
  Result<> AddChunks(const Lease& lease, std::span<const store::NewChunk> chunks) override {
    if (away_) return Away();
    added_.push_back(chunks.size());
    return store_.AddChunks(lease, chunks);
  }
  Result<store::Claims> ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                                    std::string_view owner,
                                    std::chrono::milliseconds duration) override {
    if (away_) return Away();
    return store_.ClaimChunks(job_id, after, limit, owner, duration);
  }
  Result<std::vector<store::Settled>> Settle(
      std::span<const store::Settlement> settlements) override {
    if (away_) return Away();
    return store_.Settle(settlements);
  }
  Result<Job> MarkLost(const Lease& lease, std::span<const store::LostChunk> lost) override {
    if (away_) return Away();
    return store_.MarkLost(lease, lost);
  }
  Result<std::vector<Chunk>> ListChunks(std::string_view job_id, std::optional<ChunkState> state,
                                        int64_t after, size_t limit) override {
    if (away_) return Away();
    return store_.ListChunks(job_id, state, after, limit);
  }
  Result<Job> Redrive(std::string_view job_id, std::string_view actor) override {
    if (away_) return Away();
    return store_.Redrive(job_id, actor);
  }
  Result<std::vector<Job>> Stalled(const store::StalledFilter& filter, size_t limit) override {
    if (away_) return Away();
    return store_.Stalled(filter, limit);
  }
  Result<int64_t> CountAhead(std::string_view job_id) override {
    if (away_) return Away();
    return store_.CountAhead(job_id);
  }
  Result<std::vector<std::string>> WaitingGroups(Timestamp before) override {
    if (away_) return Away();
    return store_.WaitingGroups(before);
  }
  Result<store::Fired> Fire(const store::Firing& firing) override {
    if (away_) return Away();
    return store_.Fire(firing);
  }
  Result<std::vector<store::ScheduleRecord>> Schedules() override {
    if (away_) return Away();
    return store_.Schedules();
  }
  Result<std::vector<Job>> Expirable(const store::ExpiryFilter& filter, size_t limit) override {
    if (away_) return Away();
    return store_.Expirable(filter, limit);
  }
  Result<Job> BeginExpiry(const Job& seen, int64_t objects, int64_t bytes) override {
    if (away_) return Away();
    return store_.BeginExpiry(seen, objects, bytes);
  }
  Result<Job> EndExpiry(std::string_view job_id) override {
    if (away_) return Away();
    return store_.EndExpiry(job_id);
  }
  Result<std::string> SigningKeyId() override {
    if (away_) return Away();
    return store_.SigningKeyId();
  }
  Result<std::string> RecordSigningKey(std::string_view known, std::string_view key_id) override {
    if (away_) return Away();
    return store_.RecordSigningKey(known, key_id);
  }

 private:
  static std::unexpected<Error> Away() {
    return FailTransient(ErrorCode::kUnavailable, "the store is away");
  }

  store::MemoryDatabase database_;
  store::MemoryStore store_;
  bool away_ = false;
  std::string lost_;
  std::set<std::string> lost_leases_;
  std::set<std::string> to_cancel_;
  int renewals_ = 0;
  std::vector<std::string> renewed_;
  std::vector<size_t> added_;
};

}  // namespace spillway::engine
