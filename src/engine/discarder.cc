#include "engine/discarder.h"

#include <vector>

#include "base/log.h"
#include "engine/retry.h"
#include "staging/outcome.h"

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

bool IsToBeDiscarded(const Job& job) {
  return job.state == JobState::kProcessing && job.cancel_requested_at.has_value() &&
         job.phase < JobPhase::kCompleted;
}

}  // namespace

Result<Verdict> DiscardJob(Context& context, std::string_view job_id, Random& random) {
  // Checking whether workers have stopped must not count as an attempt.
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

}  // namespace spillway::engine
