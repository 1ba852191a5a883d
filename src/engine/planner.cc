#include "engine/planner.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/dispatch.h"
#include "engine/guarded.h"
#include "staging/staging.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

/// Of specs, in the memory of a page.
constexpr size_t kPageBytesMax = 4 << 20;

/// Records a plan page by page. Each page is written under the job's lease, and the plan stands
/// only when the job's record says how many chunks it has, which is written under the same lease:
/// so no two attempts' chunks are ever counted together.
class PagedPlan final : public recipe::Planning {
 public:
  PagedPlan(Context& context, const HeldJob& held, const recipe::Recipe& recipe)
      : context_(context), held_(held), recipe_(recipe) {}

  Result<> Add(std::string spec, int64_t planned) override {
    page_bytes_ += spec.size();
    page_.push_back({.index = chunks_++, .spec = std::move(spec), .planned = planned});
    planned_ += planned;
    if (page_.size() < store::kNewChunksMax && page_bytes_ < kPageBytesMax) return {};
    return Flush();
  }

  /// The key is this attempt's alone: one that lost the lease cannot write over it.
  Result<std::string> Put(std::string_view name, std::span<const std::byte> bytes) override {
    TRY(GoesOn());
    const recipe::Destination destination = TRY(recipe_.DestinationOf(held_.job));
    context_.stagings.Note(destination.store);
    std::string key =
        fmt::format("{}plan-{}/{}", Staging::PrefixOf(held_.job.id), held_.lease().token, name);
    TRY(storage::PutWhole(*destination.store, key,
                          {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    return key;
  }

  /// Records the chunks that were added since the last page.
  Result<> Flush() {
    TRY(GoesOn());
    TRY(context_.store.AddChunks(held_.lease(), page_));
    page_.clear();
    page_bytes_ = 0;
    return {};
  }

  int64_t chunks() const { return chunks_; }
  int64_t planned() const { return planned_; }

 private:
  Result<> GoesOn() const {
    if (!held_.stop().stop_requested()) return {};
    return Fail(ErrorCode::kCancelled, "stopped while recording the plan");
  }

  Context& context_;
  const HeldJob& held_;
  const recipe::Recipe& recipe_;
  std::vector<store::NewChunk> page_;
  size_t page_bytes_ = 0;
  int64_t chunks_ = 0;
  int64_t planned_ = 0;
};

Result<Job> Plan(Context& context, const HeldJob& held) {
  const recipe::Recipe* recipe = TRY(context.recipes.Find(held.job.recipe));
  TRY(context.store.Update(held.lease(), {.phase = JobPhase::kDiscovering}));
  PagedPlan plan(context, held, *recipe);
  const recipe::Planned planned =
      TRY(Guarded([&] { return recipe->MakePlan(held.job, plan, held.stop()); }));
  if (plan.planned() != planned.planned) {
    return Fail(ErrorCode::kInternal, "the chunks are to hold " + std::to_string(plan.planned()) +
                                          " rows, the plan " + std::to_string(planned.planned));
  }
  TRY(plan.Flush());
  return context.store.Update(held.lease(), {.phase = JobPhase::kProcessing,
                                             .planned = planned.planned,
                                             .bytes_planned = planned.bytes,
                                             .chunks_total = plan.chunks(),
                                             .plan = planned.source,
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
