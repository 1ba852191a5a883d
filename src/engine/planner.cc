#include "engine/planner.h"

#include <algorithm>
#include <vector>

#include "engine/dispatch.h"
#include "engine/guarded.h"

namespace spillway::engine {
namespace {

constexpr size_t kChunksPerCall = 90;

Result<> AddChunks(Context& context, const HeldJob& held,
                   const std::vector<recipe::PlannedChunk>& planned) {
  std::vector<store::NewChunk> page;
  for (size_t at = 0; at < planned.size(); at += kChunksPerCall) {
    if (held.stop().stop_requested())
      return Fail(ErrorCode::kCancelled, "stopped while recording the plan");
    page.clear();
    const size_t end = std::min(at + kChunksPerCall, planned.size());
    for (size_t i = at; i < end; ++i) {
      page.push_back({.index = static_cast<int64_t>(i),
                      .spec = planned[i].spec,
                      .planned = planned[i].planned});
    }
    TRY(context.store.AddChunks(held.lease(), page));
  }
  return {};
}

Result<Job> Plan(Context& context, const HeldJob& held) {
  const recipe::Recipe* recipe = TRY(context.recipes.Find(held.job.recipe));
  TRY(context.store.Update(held.lease(), {.phase = JobPhase::kDiscovering}));
  const recipe::Plan plan = TRY(Guarded([&] { return recipe->MakePlan(held.job, held.stop()); }));
  int64_t planned = 0;
  for (const recipe::PlannedChunk& chunk : plan.chunks) planned += chunk.planned;
  if (planned != plan.planned) {
    return Fail(ErrorCode::kInternal, "the chunks are to hold " + std::to_string(planned) +
                                          " rows, the plan " + std::to_string(plan.planned));
  }
  TRY(AddChunks(context, held, plan.chunks));
  return context.store.Update(held.lease(),
                              {.phase = JobPhase::kProcessing,
                               .planned = plan.planned,
                               .bytes_planned = plan.bytes,
                               .chunks_total = static_cast<int64_t>(plan.chunks.size()),
                               .plan = plan.source,
                               .release = true});
}

}  // namespace

Result<Verdict> PlanJob(Context& context, std::string_view job_id, Random& random) {
  bool busy = false;
  std::optional<HeldJob> held = TRY(HoldJob(context, job_id, &busy));
  if (!held.has_value()) return busy ? Verdict::Again(context.options.lease) : Verdict::Done();
  if (held->job.phase >= JobPhase::kProcessing || held->job.cancel_requested_at.has_value()) {
    const Job released = TRY(context.store.Update(held->lease(), {.release = true}));
    TRY(Dispatch(context.queue, released, context.options.hints_max));
    return Verdict::Done();
  }
  if (WasBegunTooOften(held->job, context.options))
    return FailAct(context, *held, LostWorkersError(held->job), random);
  Result<Job> planned = Plan(context, *held);
  if (!planned.has_value()) return FailAct(context, *held, std::move(planned).error(), random);
  held->held.reset();
  TRY(Dispatch(context.queue, *planned, context.options.hints_max));
  return Verdict::Done();
}

}  // namespace spillway::engine
