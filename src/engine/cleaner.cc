#include "engine/cleaner.h"

#include <vector>

#include "base/log.h"
#include "engine/outcome.h"
#include "engine/retry.h"

namespace spillway::engine {
namespace {

constexpr std::chrono::milliseconds kLookAgain{20};
constexpr size_t kPage = 500;
/// Looking whether workers have let go counts as attempts too: how many there were says nothing.
constexpr int64_t kDiscardAttempts = 2;

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

Result<Receipt> Discard(Context& context, const Job& job) {
  const recipe::Recipe* recipe = TRY(context.recipes.Find(job.recipe));
  const recipe::Destination destination = TRY(recipe->DestinationOf(job));
  context.stagings.Drop(job.id);
  return RemoveStaged(*destination.store, job.id);
}

}  // namespace

Result<Verdict> DiscardJob(Context& context, std::string_view job_id, Random& random) {
  bool busy = false;
  std::optional<HeldJob> held = TRY(HoldJob(context, job_id, &busy));
  if (!held.has_value()) return busy ? Verdict::Again(kLookAgain) : Verdict::Done();
  const bool wanted =
      held->job.cancel_requested_at.has_value() && held->job.phase < JobPhase::kCompleted;
  if (!wanted || TRY(InWork(context, held->job))) {
    TRY(context.store.Update(held->lease(), {.release = true}));
    return wanted ? Verdict::Again(kLookAgain) : Verdict::Done();
  }
  const Result<Receipt> receipt = Discard(context, held->job);
  if (!receipt.has_value()) {
    context.log.Warning("staged files not removed",
                        {{"job", job_id}, {"error", receipt.error().message}});
    TRY(context.store.Update(held->lease(), {.release = true}));
    return Verdict::Again(Backoff(receipt.error(), kDiscardAttempts, context.options, random));
  }
  TRY(context.store.Update(held->lease(), {.state = JobState::kCancelled,
                                           .outcome = ToJson(*receipt),
                                           .actor = context.owner,
                                           .cause = "cancelled; staged files removed"}));
  TRY(AdmitNext(context, held->job.group));
  return Verdict::Done();
}

Result<int64_t> RemoveLeftovers(Context& context) {
  int64_t jobs = 0;
  for (storage::ObjectStore* store : context.stagings.Stores()) {
    for (const std::string& job_id : TRY(StagedJobs(*store))) {
      const Result<Job> job = context.store.Get(job_id);
      if (!job.has_value() && job.error().code == ErrorCode::kNotFound) continue;
      if (!job.has_value()) return std::unexpected(job.error());
      if (job->state != JobState::kSucceeded && job->state != JobState::kCancelled) continue;
      const Receipt receipt = TRY(RemoveStaged(*store, job_id));
      context.log.Info("leftovers removed",
                       {{"job", job_id}, {"objects", receipt.objects_removed}});
      ++jobs;
    }
  }
  return jobs;
}

}  // namespace spillway::engine
