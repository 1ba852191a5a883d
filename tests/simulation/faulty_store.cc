#include "simulation/faulty_store.h"

#include <utility>

namespace spillway::simulation {

using engine::Job;
using engine::Lease;
using std::chrono::milliseconds;

namespace {

/// An update in one line of the trace.
std::string Describe(const Lease& lease, const store::JobUpdate& update) {
  std::string text = lease.job_id + " with token " + std::to_string(lease.token);
  if (update.phase) text.append(", phase ").append(Name(*update.phase));
  if (update.state) text.append(", state ").append(Name(*update.state));
  if (update.failure) text.append(", failure: ").append(update.failure->message);
  if (update.release) text.append(", release");
  return text;
}

std::string_view Name(store::Settlement::Kind kind) {
  switch (kind) {
    case store::Settlement::Kind::kSucceeded:
      return "succeeded";
    case store::Settlement::Kind::kRetry:
      return "retry";
    case store::Settlement::Kind::kDead:
      return "dead";
    case store::Settlement::Kind::kReleased:
      return "released";
    case store::Settlement::Kind::kPostponed:
      return "postponed";
  }
  std::unreachable();
}

std::string Describe(std::span<const store::Settlement> settlements) {
  std::string text;
  for (const store::Settlement& one : settlements) {
    text.append(one.lease.job_id).append("/").append(std::to_string(one.lease.chunk));
    text.append(" ").append(Name(one.kind)).append(" ");
    if (one.failure) text.append("(").append(one.failure->message).append(") ");
  }
  return text;
}

std::string Describe(std::span<const store::Renewal> renewals) {
  std::string text;
  for (const auto& [lease, progress] : renewals) {
    text.append(lease.job_id).append("/").append(std::to_string(lease.chunk)).append(" ");
  }
  return text;
}

}  // namespace

Result<store::Created> FaultyStore::Create(const Job& job, bool fresh) {
  return process_.Call("create", job.task_id, [&] {
    auto created = store_.Create(job, fresh);
    if (created.has_value()) invariants_.Created(*created, fresh);
    return created;
  });
}

Result<Job> FaultyStore::Get(std::string_view job_id) {
  return process_.Call("get", job_id, [&] { return store_.Get(job_id); });
}

Result<store::JobPage> FaultyStore::List(const store::JobFilter& filter, std::string_view cursor,
                                         size_t limit) {
  return process_.Call("list jobs", "", [&] { return store_.List(filter, cursor, limit); });
}

Result<std::vector<engine::Transition>> FaultyStore::History(std::string_view job_id) {
  return process_.Call("history", job_id, [&] { return store_.History(job_id); });
}

Result<std::optional<Job>> FaultyStore::Admit(std::string_view group, int64_t parallel_max) {
  return process_.Call("admit", group, [&] {
    auto admitted = store_.Admit(group, parallel_max);
    if (admitted.has_value() && admitted->has_value()) invariants_.Admitted(**admitted);
    return admitted;
  });
}

Result<Job> FaultyStore::AcquireJob(std::string_view job_id, std::string_view owner,
                                    milliseconds duration) {
  return process_.Call("acquire", job_id, [&] {
    auto job = store_.AcquireJob(job_id, owner, duration);
    if (job.has_value()) invariants_.Acquired(*job);
    return job;
  });
}

Result<Job> FaultyStore::Update(const Lease& lease, const store::JobUpdate& update) {
  return process_.Call("update", Describe(lease, update), [&] {
    auto job = store_.Update(lease, update);
    if (job.has_value()) invariants_.Updated(lease, *job);
    return job;
  });
}

Result<Job> FaultyStore::RequestCancel(std::string_view job_id, std::string_view actor,
                                       std::string_view cause) {
  return process_.Call("request cancel", job_id, [&] {
    auto job = store_.RequestCancel(job_id, actor, cause);
    if (job.has_value()) invariants_.JobChanged(job_id);
    return job;
  });
}

Result<> FaultyStore::AddChunks(const Lease& lease, std::span<const store::NewChunk> chunks) {
  return process_.Call("add chunks", lease.job_id, [&] {
    auto added = store_.AddChunks(lease, chunks);
    if (added.has_value()) invariants_.JobChanged(lease.job_id);
    return added;
  });
}

Result<Job> FaultyStore::MarkLost(const Lease& lease, std::span<const store::LostChunk> lost) {
  return process_.Call("mark lost", lease.job_id, [&] {
    auto job = store_.MarkLost(lease, lost);
    if (job.has_value()) invariants_.JobChanged(lease.job_id);
    return job;
  });
}

Result<store::Claims> FaultyStore::ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                                               std::string_view owner, milliseconds duration) {
  return process_.Call("claim", job_id, [&] {
    auto claims = store_.ClaimChunks(job_id, after, limit, owner, duration);
    if (!claims.has_value()) return claims;
    for (const engine::Chunk& chunk : claims->chunks) {
      process_.Tell("claimed", job_id, std::to_string(chunk.index));
      invariants_.Claimed(chunk);
    }
    return claims;
  });
}

Result<std::vector<store::Settled>> FaultyStore::Settle(
    std::span<const store::Settlement> settlements) {
  return process_.Call("settle", Describe(settlements), [&] {
    auto settled = store_.Settle(settlements);
    if (!settled.has_value()) return settled;
    for (size_t i = 0; i < settled->size(); ++i) {
      invariants_.Settled(settlements[i], (*settled)[i]);
    }
    return settled;
  });
}

Result<std::vector<bool>> FaultyStore::Renew(std::span<const store::Renewal> renewals,
                                             milliseconds duration) {
  return process_.Call("renew", Describe(renewals), [&] {
    auto renewed = store_.Renew(renewals, duration);
    if (!renewed.has_value()) return renewed;
    for (size_t i = 0; i < renewed->size(); ++i)
      invariants_.Renewed(renewals[i].lease, (*renewed)[i]);
    return renewed;
  });
}

Result<std::vector<bool>> FaultyStore::CancelRequested(std::span<const std::string> job_ids) {
  return process_.Call("", "", [&] { return store_.CancelRequested(job_ids); });
}

Result<std::vector<engine::Chunk>> FaultyStore::ListChunks(std::string_view job_id,
                                                           std::optional<engine::ChunkState> state,
                                                           int64_t after, size_t limit) {
  return process_.Call("list chunks", job_id,
                       [&] { return store_.ListChunks(job_id, state, after, limit); });
}

Result<Job> FaultyStore::Redrive(std::string_view job_id, std::string_view actor) {
  return process_.Call("redrive", job_id, [&] {
    auto job = store_.Redrive(job_id, actor);
    if (job.has_value()) invariants_.JobChanged(job_id);
    return job;
  });
}

Result<std::vector<Job>> FaultyStore::Stalled(const store::StalledFilter& filter, size_t limit) {
  return process_.Call("", "", [&] { return store_.Stalled(filter, limit); });
}

Result<int64_t> FaultyStore::CountAhead(std::string_view job_id) {
  return process_.Call("", "", [&] { return store_.CountAhead(job_id); });
}

Result<std::vector<std::string>> FaultyStore::WaitingGroups(Timestamp before) {
  return process_.Call("", "", [&] { return store_.WaitingGroups(before); });
}

Result<store::Fired> FaultyStore::Fire(const store::Firing& firing) {
  return process_.Call("fire", firing.schedule, [&] {
    auto fired = store_.Fire(firing);
    if (fired.has_value()) invariants_.Fired(firing, *fired);
    return fired;
  });
}

Result<std::vector<store::ScheduleRecord>> FaultyStore::Schedules() {
  return process_.Call("", "", [&] { return store_.Schedules(); });
}

Result<std::vector<Job>> FaultyStore::Expirable(const store::ExpiryFilter& filter, size_t limit) {
  return process_.Call("", "", [&] { return store_.Expirable(filter, limit); });
}

Result<Job> FaultyStore::BeginExpiry(const Job& seen, int64_t objects, int64_t bytes) {
  return process_.Call("begin expiry", seen.id, [&] {
    auto job = store_.BeginExpiry(seen, objects, bytes);
    if (job.has_value()) invariants_.JobChanged(seen.id);
    return job;
  });
}

Result<Job> FaultyStore::EndExpiry(std::string_view job_id) {
  return process_.Call("end expiry", job_id, [&] {
    auto job = store_.EndExpiry(job_id);
    if (job.has_value()) invariants_.JobChanged(job_id);
    return job;
  });
}

Result<std::string> FaultyStore::SigningKeyId() {
  return process_.Call("signing key", "", [&] { return store_.SigningKeyId(); });
}

Result<std::string> FaultyStore::RecordSigningKey(std::string_view known, std::string_view key_id) {
  return process_.Call("record signing key", key_id,
                       [&] { return store_.RecordSigningKey(known, key_id); });
}

}  // namespace spillway::simulation
