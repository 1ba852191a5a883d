#include "engine/act.h"

#include <algorithm>

#include "base/log.h"
#include "engine/dispatch.h"
#include "engine/retry.h"
#include "engine/scheduler.h"

namespace spillway::engine {

Result<std::optional<HeldJob>> HoldJob(Context& context, std::string_view job_id, bool* busy) {
  *busy = context.heartbeat.Holds(job_id);
  if (*busy) return std::nullopt;
  Result<Job> job = context.store.AcquireJob(job_id, context.owner, context.options.lease);
  if (job.has_value()) {
    Lease lease{.job_id = job->id,
                .owner = context.owner,
                .token = job->lease_token,
                .expires_at = job->lease_expires_at};
    auto held = std::make_unique<Heartbeat::Held>(context.heartbeat, std::move(lease));
    return HeldJob{std::move(*job), std::move(held)};
  }
  if (job.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (job.error().code != ErrorCode::kConflict) return std::unexpected(std::move(job).error());
  const Job current = TRY(context.store.Get(job_id));
  *busy = !IsFinal(current.state);
  return std::nullopt;
}

Result<Verdict> FailAct(Context& context, const HeldJob& held, Error error, Random& random) {
  const Job current = TRY(context.store.Get(held.job.id));
  if (IsFinal(current.state)) context.stagings.Drop(current.id);
  if (current.lease_token != held.lease().token || IsFinal(current.state)) return Verdict::Done();
  store::JobUpdate update{.release = true, .actor = context.owner, .cause = error.message};
  if (current.cancel_requested_at.has_value() && current.phase < JobPhase::kCompleted) {
    const Job released = TRY(context.store.Update(held.lease(), update));
    TRY(Dispatch(context.queue, released, context.options.hints_max));
    return Verdict::Done();
  }
  if (held.held->reason().has_value() || error.elsewhere) {
    TRY(context.store.Update(held.lease(), update));
    return Verdict::Again(std::chrono::milliseconds{0});
  }
  // A decided outcome is retried without limit.
  const bool retry = ShouldRetry(error, current.attempts, context.options) ||
                     (error.retryable && current.phase == JobPhase::kCompleted);
  context.log.Warning("act failed", {{"job", current.id},
                                     {"phase", Name(current.phase)},
                                     {"attempt", current.attempts},
                                     {"retry", retry},
                                     {"error", error.message}});
  update.failure = error;
  if (retry) {
    TRY(context.store.Update(held.lease(), update));
    return Verdict::Again(Backoff(error, current.attempts, context.options, random));
  }
  update.state = JobState::kFailed;
  TRY(context.store.Update(held.lease(), update));
  context.stagings.Drop(current.id);
  TRY(AdmitNext(context, current.group));
  return Verdict::Done();
}

bool WasBegunTooOften(const Job& job, const Options& options) {
  constexpr int64_t kBegunPerAttempt = 4;
  return job.attempts > options.attempts_max * kBegunPerAttempt;
}

Error LostWorkersError(const Job& job) {
  const std::string act = job.phase < JobPhase::kProcessing ? "planning" : "finishing";
  return {.code = ErrorCode::kUnavailable,
          .message = "the worker process ended or lost its lease " +
                     std::to_string(job.attempts - 1) + " times while " + act + " the job"};
}

Result<> AdmitNext(Context& context, std::string_view group) {
  return AdmitNext(context.store, context.queue, group, context.options);
}

}  // namespace spillway::engine
