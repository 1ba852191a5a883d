#include "engine/worker.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/log.h"
#include "engine/discarder.h"
#include "engine/finisher.h"
#include "engine/planner.h"

namespace spillway::engine {
namespace {

constexpr std::chrono::milliseconds kBatchTarget{50};
constexpr std::chrono::milliseconds kIdleMin{1};

Result<Verdict> Perform(Context& context, const Work& work, Random& random) {
  switch (work.act) {
    case Act::kPlan:
      return PlanJob(context, work.job_id, random);
    case Act::kFinish:
      return FinishJob(context, work.job_id, random);
    case Act::kDiscard:
      return DiscardJob(context, work.job_id, random);
    case Act::kProcess:
      break;
  }
  return Fail(ErrorCode::kInternal, "chunks are not processed as acts");
}

}  // namespace

void BatchSize::Learn(size_t chunks, std::chrono::microseconds elapsed) {
  if (chunks == 0) return;
  const auto each = std::max<int64_t>(elapsed.count() / static_cast<int64_t>(chunks), 1);
  const auto fitting = static_cast<size_t>(std::chrono::microseconds(kBatchTarget).count() / each);
  size_ = std::clamp<size_t>(std::min(fitting, size_ * 2), 1, kMax);
}

Result<> Worker::Take(size_t limit, std::vector<Taken>& taken) {
  std::lock_guard lock(intake_);
  const std::vector<store::Delivery> deliveries =
      TRY(context_.queue.Receive(limit, context_.options.lease));
  FirstError failed;
  std::map<std::string, std::vector<ChunkMessage>> chunks_of_job;
  for (const store::Delivery& delivery : deliveries) {
    const Result<Work> work = WorkFromBody(delivery.body);
    if (!work.has_value()) {
      context_.log.Error("message dropped", {{"error", work.error().message}});
      failed.Add(context_.queue.Delete(std::array{delivery.handle}));
    } else if (work->act == Act::kProcess) {
      chunks_of_job[work->job_id].push_back({.chunk = work->chunk, .handle = delivery.handle});
    } else {
      taken.push_back({.act = *work, .handle = delivery.handle});
    }
  }
  for (const auto& [job_id, messages] : chunks_of_job) {
    Result<HeldChunks> chunks = ClaimChunks(context_, job_id, messages);
    failed.Add(chunks);
    if (chunks.has_value()) taken.push_back({.chunks = *std::move(chunks)});
  }
  return failed.result();
}

Result<> Worker::DoAct(const Work& work, const std::string& handle, Random& random) {
  if (work.act == Act::kPlan && !plans_)
    return context_.queue.SetVisibility(std::array{handle}, context_.options.idle_max);
  const Verdict verdict = TRY(Perform(context_, work, random));
  if (verdict.again_in.has_value()) {
    return context_.queue.SetVisibility(std::array{handle}, *verdict.again_in);
  }
  return context_.queue.Delete(std::array{handle});
}

Result<bool> Worker::Step(Random& random, BatchSize& batch) {
  std::vector<Taken> taken;
  FirstError failed;
  failed.Add(Take(batch.size(), taken));
  for (Taken& one : taken) {
    if (one.act.has_value()) {
      failed.Add(DoAct(*one.act, one.handle, random));
      continue;
    }
    if (one.chunks.chunks.empty()) continue;
    const Timestamp started_at = context_.clock.Now();
    const size_t count = one.chunks.chunks.size();
    failed.Add(ProcessChunks(context_, std::move(one.chunks), random));
    batch.Learn(count, context_.clock.Now() - started_at);
  }
  TRY(failed.result());
  return !taken.empty();
}

void Worker::Run(std::stop_token stop, uint64_t seed) {
  Random random(seed);
  BatchSize batch;
  std::chrono::milliseconds pause = kIdleMin;
  while (!stop.stop_requested()) {
    Result<bool> worked = Step(random, batch);
    if (!worked.has_value()) {
      context_.log.Error("step failed", {{"error", worked.error().message}});
      pause = context_.options.idle_max;
    } else if (*worked) {
      pause = kIdleMin;
      continue;
    }
    context_.queue.Wait(context_.clock, pause, stop);
    pause = std::min(pause * 2, context_.options.idle_max);
  }
}

}  // namespace spillway::engine
