#include "engine/processor.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "engine/retry.h"
#include "engine/work.h"

namespace spillway::engine {
namespace {

/// What a message's visibility becomes when its chunk cannot be claimed; none: delete it.
std::optional<std::chrono::milliseconds> PauseFor(store::ClaimRefusal refusal,
                                                  const Options& options) {
  switch (refusal) {
    case store::ClaimRefusal::kLeased:
      return options.lease;
    case store::ClaimRefusal::kNotYet:
      return options.backoff_base;
    case store::ClaimRefusal::kGone:
    case store::ClaimRefusal::kSettled:
    case store::ClaimRefusal::kCancelled:
      return std::nullopt;
  }
  return std::nullopt;
}

/// A message that stays or comes at the wrong time costs a look. What was claimed must not be lost
/// for it.
void Hint(Context& context, const Result<>& result) {
  if (!result.has_value())
    context.log.Warning("queue not reached", {{"error", result.error().message}});
}

Lease LeaseOf(const Chunk& chunk) {
  return {.job_id = chunk.job_id,
          .chunk = chunk.index,
          .owner = chunk.lease_owner,
          .token = chunk.lease_token,
          .expires_at = chunk.lease_expires_at};
}

store::Settlement SettlementFor(const Context& context, const HeldChunk& held, const Error& error,
                                Random& random) {
  store::Settlement settlement{.lease = held.held->lease()};
  const std::optional<StopReason> reason = held.held->reason();
  if (reason.has_value()) return settlement;  // kReleased; refused where the lease was lost.
  if (error.elsewhere) {
    settlement.not_before = context.clock.Now() + Backoff(error, 1, context.options, random);
    return settlement;
  }
  settlement.failure = error;
  settlement.kind = store::Settlement::Kind::kDead;
  if (ShouldRetry(error, held.chunk.attempts, context.options)) {
    settlement.kind = store::Settlement::Kind::kRetry;
    settlement.not_before =
        context.clock.Now() + Backoff(error, held.chunk.attempts, context.options, random);
  }
  return settlement;
}

store::Settlement Process(Context& context, const HeldChunks& held, const HeldChunk& one,
                          Random& random) {
  // An attempt that was never settled ended with its worker; a chunk that ends every worker is
  // poison.
  if (one.chunk.attempts > context.options.attempts_max) {
    Error error{.code = ErrorCode::kUnavailable,
                .message = "its workers fell silent in " +
                           std::to_string(context.options.attempts_max) + " attempts"};
    if (one.chunk.failure.has_value())
      error.message += "; before that: " + one.chunk.failure->message;
    return SettlementFor(context, one, error, random);
  }
  if (held.obstacle.has_value()) return SettlementFor(context, one, *held.obstacle, random);
  Result<ChunkResult> result =
      held.recipe->Process(held.job, one.chunk, *one.staging, one.held->stop());
  if (!result.has_value()) return SettlementFor(context, one, result.error(), random);
  if (result->counts.planned != one.chunk.planned || !result->counts.Reconciled()) {
    const Counts& counts = result->counts;
    return SettlementFor(context, one,
                         {.code = ErrorCode::kCorrupt,
                          .message = "the source counted " + std::to_string(one.chunk.planned) +
                                     " rows; read were " + std::to_string(counts.written) +
                                     " written, " + std::to_string(counts.excluded) +
                                     " excluded, " + std::to_string(counts.failed) + " failed"},
                         random);
  }
  return {.lease = one.held->lease(),
          .kind = store::Settlement::Kind::kSucceeded,
          .result = ToJson(*result),
          .counts = result->counts};
}

/// Whoever meets a cancellation sees to it that the job is discarded: the request for that may have
/// gone to another queue than this process's own.
void AskForDiscarding(Context& context, std::string_view job_id) {
  Hint(context, SendWork(context.queue,
                         std::array{Work{.act = Act::kDiscard, .job_id = std::string(job_id)}}));
}

/// What a message's visibility becomes once its chunk is settled; none: delete it.
std::optional<std::chrono::milliseconds> PauseAfter(const Context& context,
                                                    const store::Settlement& settlement,
                                                    const store::Settled& settled) {
  using Kind = store::Settlement::Kind;
  if (!settled.applied) return std::nullopt;
  if (settlement.kind != Kind::kReleased && settlement.kind != Kind::kRetry) return std::nullopt;
  const auto pause =
      std::chrono::ceil<std::chrono::milliseconds>(settlement.not_before - context.clock.Now());
  return std::max(pause, std::chrono::milliseconds{0});
}

void LogFailure(const Context& context, const HeldChunk& one, const store::Settlement& settlement) {
  if (!settlement.failure.has_value()) return;
  context.log.Warning("chunk failed", {{"job", one.chunk.job_id},
                                       {"chunk", one.chunk.index},
                                       {"attempt", one.chunk.attempts},
                                       {"dead", settlement.kind == store::Settlement::Kind::kDead},
                                       {"error", settlement.failure->message}});
}

Result<> PutInLine(Context& context, HeldChunks& held) {
  held.recipe = TRY(context.recipes.Find(held.job.recipe));
  const recipe::Destination destination = TRY(held.recipe->DestinationOf(held.job));
  for (HeldChunk& one : held.chunks) {
    one.staging = context.stagings.Of(held.job, *destination.store, destination.directory);
    one.place = (*one.staging).Enter(one.chunk.index);
  }
  return {};
}

}  // namespace

Result<HeldChunks> ClaimChunks(Context& context, std::string_view job_id,
                               std::span<const ChunkMessage> messages) {
  HeldChunks held;
  std::vector<store::ChunkRef> refs;
  for (const ChunkMessage& message : messages) {
    refs.push_back({.job_id = std::string(job_id), .index = message.chunk});
  }
  std::vector<store::Claim> claims =
      TRY(context.store.ClaimChunks(refs, context.owner, context.options.lease));
  std::vector<std::string> done;
  bool cancelled = false;
  for (size_t i = 0; i < claims.size(); ++i) {
    const std::string& handle = messages[i].handle;
    if (auto* chunk = std::get_if<Chunk>(&claims[i])) {
      auto lease = std::make_unique<Heartbeat::Held>(context.heartbeat, LeaseOf(*chunk));
      held.chunks.push_back(
          {.chunk = std::move(*chunk), .handle = handle, .held = std::move(lease)});
    } else if (auto pause = PauseFor(std::get<store::ClaimRefusal>(claims[i]), context.options)) {
      Hint(context, context.queue.SetVisibility(std::array{handle}, *pause));
    } else {
      cancelled |= std::get<store::ClaimRefusal>(claims[i]) == store::ClaimRefusal::kCancelled;
      done.push_back(handle);
    }
  }
  if (cancelled) AskForDiscarding(context, job_id);
  if (!done.empty()) Hint(context, context.queue.Delete(done));
  if (held.chunks.empty()) return held;

  held.job = TRY(context.store.Get(job_id));
  std::ranges::sort(held.chunks, {}, [](const HeldChunk& one) { return one.chunk.index; });
  if (Result<> ready = PutInLine(context, held); !ready.has_value()) held.obstacle = ready.error();
  return held;
}

Result<> ProcessChunks(Context& context, HeldChunks held, Random& random) {
  std::vector<store::Settlement> settlements;
  for (HeldChunk& one : held.chunks) {
    settlements.push_back(Process(context, held, one, random));
    one.place = {};
  }
  const std::vector<store::Settled> settled = TRY(context.store.Settle(settlements));

  std::vector<std::string> done;
  bool cancelled = false;
  for (size_t i = 0; i < settled.size(); ++i) {
    cancelled |= held.chunks[i].held->reason() == StopReason::kCancelRequested;
    if (settled[i].applied && settled[i].chunks_open == 0) {
      TRY(SendWork(context.queue, std::array{Work{.act = Act::kFinish, .job_id = held.job.id}}));
    }
    const std::optional<std::chrono::milliseconds> pause =
        PauseAfter(context, settlements[i], settled[i]);
    if (pause.has_value()) {
      Hint(context, context.queue.SetVisibility(std::array{held.chunks[i].handle}, *pause));
    } else {
      done.push_back(held.chunks[i].handle);
    }
    LogFailure(context, held.chunks[i], settlements[i]);
  }
  if (cancelled) AskForDiscarding(context, held.job.id);
  if (!done.empty()) Hint(context, context.queue.Delete(done));
  return {};
}

}  // namespace spillway::engine
