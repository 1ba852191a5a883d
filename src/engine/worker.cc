#include "engine/worker.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "engine/discarder.h"
#include "engine/dispatch.h"
#include "engine/finisher.h"
#include "engine/guarded.h"
#include "engine/planner.h"
#include "engine/processor.h"
#include "engine/retry.h"

namespace spillway::engine {
namespace {

constexpr std::chrono::milliseconds kIdleMin{1};
/// How many jobs a thread remembers something about.
constexpr size_t kKnownJobsMax = 64;
/// A thread takes at most one in so many of a job's open chunks together, so that others get their
/// share of the last ones, in case these take longer than those before.
constexpr int64_t kPartOfOpen = 4;
/// The time between two requests to discard a job.
constexpr std::chrono::seconds kDiscardsAsked{1};
/// Queues hide a message no longer than some hours.
constexpr std::chrono::hours kPauseMax{1};
/// The time after which a thread says again what it cannot do.
constexpr std::chrono::minutes kToldAgain{1};

}  // namespace

void BatchSize::Learn(size_t chunks, std::chrono::microseconds elapsed) {
  if (chunks == 0) return;
  const auto each = std::max<int64_t>(elapsed.count() / static_cast<int64_t>(chunks), 1);
  const auto fitting = static_cast<size_t>(std::chrono::microseconds(kTarget).count() / each);
  size_ = std::clamp<size_t>(std::min(fitting, size_ * 2), 1, kMax);
}

/// For a message when there are no chunks to claim. While any are open the message comes again,
/// since chunks that others work on may be given back. When none is open and nobody has tried to
/// finish the job yet, this does: the worker that settled the last chunk may have died. After a
/// failed attempt another message waits for the pause.
Result<Verdict> Worker::WithoutChunks(std::string_view job_id, Random& random) {
  const Result<Job> job = context_.store.Get(job_id);
  if (!job.has_value() && job.error().code == ErrorCode::kNotFound) return Verdict::Done();
  if (!job.has_value()) return std::unexpected(job.error());
  const bool goes_on = job->state == JobState::kProcessing && job->phase == JobPhase::kProcessing &&
                       !job->cancel_requested_at;
  if (!goes_on) return Verdict::Done();
  if (job->chunks_open() > 0) return Verdict::Again(context_.options.lease);
  const bool held = !job->lease_owner.empty() && job->lease_expires_at > context_.clock.Now();
  if (held || job->failure.has_value()) return Verdict::Done();
  return Finish(job_id, random);
}

/// The job's other hints may come at any time, so the pause before the next attempt is kept by a
/// message of its own.
Result<Verdict> Worker::Finish(std::string_view job_id, Random& random) {
  const Verdict verdict = TRY(FinishJob(context_, job_id, random));
  if (!verdict.again_in.has_value()) return verdict;
  const std::array work{Work{.act = Act::kFinish, .job_id = std::string(job_id)}};
  TRY(SendWork(context_.queue, work, *verdict.again_in));
  return Verdict::Done();
}

/// A worker that notices a cancellation asks for the job to be discarded, since the first request
/// may have gone to another queue. Once a second is enough for all of a job's hints.
Result<> Worker::AskForDiscarding(std::string_view job_id) {
  const Timestamp now = context_.clock.Now();
  {
    std::lock_guard lock(discards_mutex_);
    std::erase_if(discards_asked_,
                  [now](const auto& asked) { return now - asked.second > kDiscardsAsked; });
    if (!discards_asked_.emplace(job_id, now).second) return {};
  }
  return SendWork(context_.queue,
                  std::array{Work{.act = Act::kDiscard, .job_id = std::string(job_id)}});
}

/// A job that the rescuer found silent. Its other hints would have been served before this
/// message, so where it has not moved still, they are lost. Claims move no job: chunks tell.
Result<Verdict> Worker::Resume(std::string_view job_id) {
  const Result<Job> job = context_.store.Get(job_id);
  if (!job.has_value() && job.error().code == ErrorCode::kNotFound) return Verdict::Done();
  if (!job.has_value()) return std::unexpected(job.error());
  const Timestamp now = context_.clock.Now();
  if (IsFinal(job->state) || now - job->updated_at <= LongestSilence(*job, context_.options))
    return Verdict::Done();
  const std::vector<Chunk> leased =
      TRY(context_.store.ListChunks(job->id, ChunkState::kLeased, -1, 1));
  if (!leased.empty() && leased.front().lease_expires_at > now) return Verdict::Done();
  context_.log.Warning("job stalled; sending its work again",
                       {{"job", job->id}, {"phase", Name(job->phase)}});
  TRY(Dispatch(context_.queue, *job, context_.options.hints_max));
  return Verdict::Done();
}

Result<recipe::Destination> Worker::OpenDestination(const Job& job) {
  const recipe::Recipe* recipe = TRY(context_.recipes.Find(job.recipe));
  return Guarded([&] { return recipe->DestinationOf(job); });
}

Result<Verdict> Worker::Process(std::string_view job_id, Random& random, KnownJobs& known) {
  if (known.size() > kKnownJobsMax) known.clear();
  KnownJob& job = known[std::string(job_id)];
  if (!job.job.has_value()) {
    Result<Job> found = context_.store.Get(job_id);
    if (!found.has_value() && found.error().code == ErrorCode::kNotFound) return Verdict::Done();
    job.job = TRY(std::move(found));
  }
  // A place may take long to answer, while the other threads of this process must not wait to claim.
  const Result<recipe::Destination> destination = OpenDestination(*job.job);
  const auto share = static_cast<size_t>(std::max<int64_t>(job.open / kPartOfOpen, 1));
  HeldChunks chunks;
  {
    std::lock_guard lock(intake_);
    chunks = TRY(ClaimChunks(context_, job_id, std::min(job.batch.size(), share), destination));
  }
  if (chunks.cancel_requested) TRY(AskForDiscarding(job_id));
  if (chunks.chunks.empty() && chunks.again_at.has_value()) {
    const Timestamp now = context_.clock.Now();
    const auto pause = std::chrono::ceil<std::chrono::milliseconds>(
        std::clamp(*chunks.again_at, now, now + kPauseMax) - now);
    return Verdict::Again(pause);
  }
  if (chunks.chunks.empty()) return WithoutChunks(job_id, random);
  const Timestamp started_at = context_.clock.Now();
  const Processed processed =
      TRY(ProcessChunks(context_, std::move(chunks), random, BatchSize::kTarget));
  if (processed.begun > 0) job.batch.Learn(processed.begun, context_.clock.Now() - started_at);
  job.open = processed.open;
  if (processed.cancel_requested) TRY(AskForDiscarding(job_id));
  if (processed.open == 0) return Finish(job_id, random);
  return Verdict::Again(std::chrono::milliseconds{0});
}

Result<Verdict> Worker::Handle(std::string_view body, Random& random, KnownJobs& known) {
  const Result<Work> work = WorkFromBody(body);
  if (!work.has_value()) {
    context_.log.Error("message dropped", {{"error", work.error().message}});
    return Verdict::Done();
  }
  switch (work->act) {
    case Act::kPlan:
      if (!plans_) return Verdict::Again(context_.options.idle_max);
      return PlanJob(context_, work->job_id, random);
    case Act::kProcess:
      return Process(work->job_id, random, known);
    case Act::kFinish:
      return FinishJob(context_, work->job_id, random);
    case Act::kDiscard:
      return DiscardJob(context_, work->job_id, random);
    case Act::kResume:
      return Resume(work->job_id);
  }
  return Fail(ErrorCode::kInternal, "an act of no kind");
}

Result<bool> Worker::Step(Random& random, KnownJobs& known) {
  const std::vector<store::Delivery> deliveries =
      TRY(context_.queue.Receive(1, context_.options.lease));
  for (const store::Delivery& delivery : deliveries) {
    const Heartbeat::HiddenMessage hidden(context_.heartbeat, delivery.handle);
    const Verdict verdict = TRY(Handle(delivery.body, random, known));
    const std::array handles{delivery.handle};
    if (verdict.again_in.has_value()) {
      TRY(context_.queue.GiveBack(handles, *verdict.again_in));
    } else {
      TRY(context_.queue.Delete(handles));
    }
  }
  return !deliveries.empty();
}

void Worker::Run(std::stop_token stop, uint64_t seed) {
  Random random(seed);
  KnownJobs known;
  std::chrono::milliseconds pause = kIdleMin;
  std::string told;
  Timestamp told_at;
  while (!stop.stop_requested()) {
    const Result<bool> worked = Guarded([&] { return Step(random, known); });
    if (!worked.has_value()) {
      const Timestamp now = context_.clock.Now();
      if (worked.error().message != told || now - told_at >= kToldAgain) {
        context_.log.Error("step failed", {{"error", worked.error().message}});
        told = worked.error().message;
        told_at = now;
      }
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
