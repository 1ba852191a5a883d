#include "engine/processor.h"

#include <algorithm>

#include "base/log.h"
#include "engine/guarded.h"
#include "engine/recorded_result.h"
#include "engine/retry.h"

namespace spillway::engine {
namespace {

/// What a recipe reports of its chunk goes to whoever keeps the chunk's lease alive.
class ReportedProgress final : public recipe::Progress {
 public:
  explicit ReportedProgress(Heartbeat::Held& held) : held_(held) {}

  Result<> Report(ChunkProgress progress) override {
    if (progress.rows < 0 || progress.bytes < 0) {
      return Fail(ErrorCode::kInvalidArgument, "progress below zero cannot be kept");
    }
    if (progress.position.size() > kChunkFieldBytesMax) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "a position above " + std::to_string(kChunkFieldBytesMax) + " bytes cannot be kept");
    }
    held_.Report(std::move(progress));
    return {};
  }

 private:
  Heartbeat::Held& held_;
};

Lease LeaseOf(const Chunk& chunk) {
  return {.job_id = chunk.job_id,
          .chunk = chunk.index,
          .owner = chunk.lease_owner,
          .token = chunk.lease_token,
          .expires_at = chunk.lease_expires_at};
}

store::Settlement SettlementFor(const Context& context, const HeldChunk& held, const Error& error,
                                Random& random) {
  store::Settlement settlement{.lease = held.held->lease(), .position = held.held->position()};
  const std::optional<StopReason> reason = held.held->reason();
  if (reason.has_value()) return settlement;  // kReleased; refused where the lease was lost.
  if (error.elsewhere) {
    settlement.not_before = context.clock.Now() + Backoff(error, 1, context.options, random);
    return settlement;
  }
  settlement.failure = error;
  settlement.kind = store::Settlement::Kind::kDead;
  // As the store counts: what got further is the first attempt from there.
  const bool advanced = settlement.position != held.chunk.progress.position;
  const int64_t attempts = advanced ? 1 : held.chunk.attempts;
  if (ShouldRetry(error, attempts, context.options)) {
    settlement.kind = store::Settlement::Kind::kRetry;
    settlement.not_before = context.clock.Now() + Backoff(error, attempts, context.options, random);
  }
  return settlement;
}

/// A time that has come already would be asked for again at once, over and over.
store::Settlement SettlementFor(const Context& context, const HeldChunk& held,
                                const recipe::Postponed& postponed) {
  context.log.Info("chunk postponed", {{"job", held.chunk.job_id},
                                       {"chunk", held.chunk.index},
                                       {"until", FormatTimestamp(postponed.until)},
                                       {"why", postponed.why}});
  return {.lease = held.held->lease(),
          .kind = store::Settlement::Kind::kPostponed,
          .not_before = std::max(postponed.until, context.clock.Now() + context.options.idle_max),
          .position = held.held->position()};
}

store::Settlement Process(Context& context, const HeldChunks& held, const HeldChunk& one,
                          Random& random) {
  // An attempt that was never settled ended together with its worker. A chunk that ends every
  // worker has to fail.
  if (one.chunk.attempts > context.options.attempts_max) {
    Error error{.code = ErrorCode::kUnavailable,
                .message = "the worker process ended or lost its lease " +
                           std::to_string(context.options.attempts_max) +
                           " times while working on it"};
    if (one.chunk.failure.has_value())
      error.message += "; before that: " + one.chunk.failure->message;
    return SettlementFor(context, one, error, random);
  }
  if (held.obstacle.has_value()) return SettlementFor(context, one, *held.obstacle, random);
  ReportedProgress progress(*one.held);
  Result<recipe::ChunkOutcome> outcome = Guarded([&] {
    return held.recipe->Process(held.job, one.chunk, *one.staging, progress, one.held->stop());
  });
  if (!outcome.has_value()) return SettlementFor(context, one, outcome.error(), random);
  if (const auto* postponed = std::get_if<recipe::Postponed>(&*outcome))
    return SettlementFor(context, one, *postponed);
  ChunkResult* const result = std::get_if<ChunkResult>(&*outcome);
  if (result->counts.planned != one.chunk.planned || !result->counts.Reconciled()) {
    const Counts& counts = result->counts;
    return SettlementFor(context, one,
                         {.code = ErrorCode::kCorrupt,
                          .message = "the source counted " + std::to_string(one.chunk.planned) +
                                     " rows, but " + std::to_string(counts.written) +
                                     " were written, " + std::to_string(counts.excluded) +
                                     " excluded and " + std::to_string(counts.failed) + " failed"},
                         random);
  }
  const Counts counts = result->counts;
  Result<std::string> record = Guarded([&] {
    return RecordResult(*one.staging, one.held->lease(), std::move(*result),
                        context.options.result_bytes_max);
  });
  if (!record.has_value()) return SettlementFor(context, one, record.error(), random);
  return {.lease = one.held->lease(),
          .kind = store::Settlement::Kind::kSucceeded,
          .result = *std::move(record),
          .counts = counts};
}

void LogFailure(const Context& context, const HeldChunk& one, const store::Settlement& settlement) {
  if (!settlement.failure.has_value()) return;
  context.log.Warning("chunk failed", {{"job", one.chunk.job_id},
                                       {"chunk", one.chunk.index},
                                       {"attempt", one.chunk.attempts},
                                       {"dead", settlement.kind == store::Settlement::Kind::kDead},
                                       {"error", settlement.failure->message}});
}

Result<> PutInLine(Context& context, const recipe::Destination& destination, HeldChunks& held) {
  held.recipe = TRY(context.recipes.Find(held.job.recipe));
  for (HeldChunk& one : held.chunks) {
    one.staging = context.stagings.Of(held.job, destination.store, destination.directory);
    one.place = (*one.staging).Enter(one.chunk.index);
  }
  return {};
}

}  // namespace

Result<HeldChunks> ClaimChunks(Context& context, std::string_view job_id, size_t limit,
                               const Result<recipe::Destination>& destination) {
  HeldChunks held;
  store::Claims claims =
      TRY(context.store.ClaimChunks(job_id, -1, limit, context.owner, context.options.lease));
  for (Chunk& chunk : claims.chunks) {
    auto lease = std::make_unique<Heartbeat::Held>(context.heartbeat, LeaseOf(chunk),
                                                   chunk.progress.position);
    held.chunks.push_back({.chunk = std::move(chunk), .held = std::move(lease)});
  }
  held.cancel_requested = claims.cancel_requested;
  held.again_at = claims.again_at;
  if (held.chunks.empty()) return held;
  held.job = TRY(context.store.Get(job_id));
  const Result<> ready = destination.has_value() ? PutInLine(context, *destination, held)
                                                 : std::unexpected(destination.error());
  if (!ready.has_value()) held.obstacle = ready.error();
  return held;
}

Result<Processed> ProcessChunks(Context& context, HeldChunks held, Random& random,
                                std::chrono::milliseconds span) {
  Processed processed{.open = held.job.chunks_open()};
  std::vector<store::Settlement> settlements;
  const Timestamp ends_at = context.clock.Now() + span;
  for (HeldChunk& one : held.chunks) {
    if (processed.begun > 0 && context.clock.Now() >= ends_at) {
      settlements.push_back({.lease = one.held->lease(), .position = one.held->position()});
    } else {
      settlements.push_back(Process(context, held, one, random));
      // What was too early took no time, so it says nothing of how long chunks take.
      if (settlements.back().kind != store::Settlement::Kind::kPostponed) ++processed.begun;
    }
    one.place = {};
  }
  const std::vector<store::Settled> settled = TRY(context.store.Settle(settlements));

  for (size_t i = 0; i < settled.size(); ++i) {
    processed.cancel_requested |= held.chunks[i].held->reason() == StopReason::kCancelRequested;
    if (settled[i].applied) processed.open = settled[i].chunks_open;
    LogFailure(context, held.chunks[i], settlements[i]);
  }
  return processed;
}

}  // namespace spillway::engine
