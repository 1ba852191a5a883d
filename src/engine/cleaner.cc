#include "engine/cleaner.h"

#include <vector>

#include "engine/outcome.h"

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
  if (!receipt.has_value()) return FailAct(context, *held, receipt.error(), random);
  TRY(context.store.Update(held->lease(), {.state = JobState::kCancelled,
                                           .outcome = ToJson(*receipt),
                                           .actor = context.owner,
                                           .cause = "cancelled; staged files removed"}));
  TRY(AdmitNext(context, held->job.group));
  return Verdict::Done();
}

}  // namespace spillway::engine
