#include "engine/cleaner.h"

#include <vector>

#include "base/log.h"
#include "engine/outcome.h"
#include "engine/retry.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

constexpr std::chrono::milliseconds kLookAgain{20};
constexpr size_t kPage = 500;

/// Whether some worker may still be writing.
Result<bool> InWork(Context& context, const Job& job) {
  int64_t after = -1;
  while (true) {
    const std::vector<Chunk> leased =
        TRY(context.store.ListChunks(job.id, ChunkState::kLeased, after, kPage));
    if (leased.empty()) return false;
    for (const Chunk& chunk : leased) {
      if (chunk.lease_expires_at > context.clock.Now()) return true;
    }
    after = leased.back().index;
  }
}

Result<> Discard(Context& context, const Job& job, Receipt& receipt) {
  const recipe::Recipe* recipe = TRY(context.recipes.Find(job.recipe));
  const recipe::Destination destination = TRY(recipe->DestinationOf(job));
  context.stagings.Drop(job.id);
  return RemoveStaged(*destination.store, job.id, receipt);
}

Result<int64_t> CountStaged(storage::ObjectStore& store, std::string_view job_id) {
  int64_t objects = 0;
  TRY(storage::ForEachObject(store, Staging::PrefixOf(job_id), [&](const storage::ObjectInfo&) {
    ++objects;
    return Result<>();
  }));
  return objects;
}

bool IsToBeDiscarded(const Job& job) {
  return job.state == JobState::kProcessing && job.cancel_requested_at.has_value() &&
         job.phase < JobPhase::kCompleted;
}

}  // namespace

Result<Verdict> DiscardJob(Context& context, std::string_view job_id, Random& random) {
  // Looking whether workers have let go must not count as an attempt.
  const Result<Job> seen = context.store.Get(job_id);
  if (!seen.has_value() && seen.error().code != ErrorCode::kNotFound)
    return std::unexpected(seen.error());
  if (!seen.has_value() || !IsToBeDiscarded(*seen)) return Verdict::Done();
  if (TRY(InWork(context, *seen))) return Verdict::Again(kLookAgain);
  bool busy = false;
  std::optional<HeldJob> held = TRY(HoldJob(context, job_id, &busy));
  if (!held.has_value()) return busy ? Verdict::Again(kLookAgain) : Verdict::Done();

  Receipt receipt;
  const Result<> discarded = Discard(context, held->job, receipt);
  std::optional<Error> failure;
  if (!discarded.has_value()) {
    failure = discarded.error();
    const bool retry = ShouldRetry(*failure, held->job.attempts, context.options);
    context.log.Warning("staged files not removed", {{"job", job_id},
                                                     {"attempt", held->job.attempts},
                                                     {"retry", retry},
                                                     {"error", failure->message}});
    if (retry) {
      TRY(context.store.Update(held->lease(), {.failure = failure, .release = true}));
      return Verdict::Again(Backoff(*failure, held->job.attempts, context.options, random));
    }
    receipt.remaining = Staging::PrefixOf(job_id);
  }
  TRY(context.store.Update(
      held->lease(),
      {.state = JobState::kCancelled, .outcome = ToJson(receipt), .failure = std::move(failure)}));
  TRY(AdmitNext(context, held->job.group));
  return Verdict::Done();
}

Leftovers& Leftovers::operator+=(const Leftovers& more) {
  jobs += more.jobs;
  objects += more.objects;
  abandoned += more.abandoned;
  return *this;
}

Result<Leftovers> SweepLeftovers(store::JobStore& jobs, storage::ObjectStore& store,
                                 std::chrono::seconds abandoned_age, storage::Sweep sweep) {
  Leftovers found;
  const std::vector<std::string> staged = TRY(StagedJobs(store));
  for (const std::string& job_id : staged) {
    const Result<Job> job = jobs.Get(job_id);
    if (!job.has_value() && job.error().code == ErrorCode::kNotFound) continue;
    if (!job.has_value()) return std::unexpected(job.error());
    const bool is_over = job->state == JobState::kSucceeded || job->state == JobState::kCancelled;
    if (!is_over && !job->expiry) continue;
    Receipt receipt;
    if (sweep != storage::Sweep::kCount) {
      TRY(RemoveStaged(store, job_id, receipt));
    } else {
      receipt.objects_removed = TRY(CountStaged(store, job_id));
    }
    found.objects += receipt.objects_removed;
    ++found.jobs;
  }
  found.abandoned = static_cast<int64_t>(TRY(store.SweepAbandoned(abandoned_age, sweep)));
  return found;
}

Result<> RemoveLeftovers(Context& context, Leftovers& removed) {
  FirstError failed;
  Leftovers all;
  for (storage::ObjectStore* store : context.stagings.Stores()) {
    const Result<Leftovers> swept =
        SweepLeftovers(context.store, *store, kAbandonedAge, storage::Sweep::kRemoveOwn);
    failed.Add(swept);
    if (swept.has_value()) all += *swept;
  }
  if (all.jobs > 0 || all.abandoned > 0) {
    context.log.Info("leftovers removed", {{"jobs", all.jobs},
                                           {"staged_objects", all.objects},
                                           {"abandoned_uploads_and_objects", all.abandoned}});
  }
  removed += all;
  return failed.result();
}

}  // namespace spillway::engine
