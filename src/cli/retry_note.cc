#include "cli/retry_note.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/figures.h"
#include "cli/messages.h"
#include "engine/retry.h"

namespace spillway::cli {
namespace {

/// Chunks are claimed in their order, so those that have failed are among the first that wait.
constexpr size_t kChunksLookedAt = 16;
/// Shorter pauses are over before anybody has read of them.
constexpr std::chrono::milliseconds kShortPause{500};

std::string Line(const std::string& attempt, std::string_view when, std::chrono::microseconds pause,
                 const Error& failure) {
  return fmt::format("attempt {} failed, the next is {} {}: {}", attempt, when,
                     ShortDuration(std::chrono::ceil<std::chrono::milliseconds>(pause)),
                     InCommands(failure.message));
}

/// Of an act, the record has the attempts, but not when the next one is.
std::optional<RetryNote> OfAct(const engine::Job& job, const engine::Options& options,
                               Timestamp now) {
  if (!job.failure.has_value() || !job.lease_owner.empty()) return std::nullopt;
  const auto pause = engine::LongestPause(*job.failure, job.attempts, options);
  const Timestamp next = job.updated_at + pause;
  if (pause < kShortPause || next <= now) return std::nullopt;
  // A decided outcome is retried without limit.
  const std::string attempt = job.phase == engine::JobPhase::kCompleted
                                  ? std::to_string(job.attempts)
                                  : fmt::format("{} of {}", job.attempts, options.attempts_max);
  return RetryNote{.line = Line(attempt, "within", next - now, *job.failure), .next = next};
}

std::optional<RetryNote> OfChunks(const std::vector<engine::Chunk>& waiting,
                                  const engine::Options& options, Timestamp now) {
  const engine::Chunk* first = nullptr;
  Timestamp last = now;
  for (const engine::Chunk& chunk : waiting) {
    if (!chunk.failure.has_value() || chunk.not_before <= now) continue;
    if (engine::LongestPause(*chunk.failure, chunk.attempts, options) < kShortPause) continue;
    if (first == nullptr || chunk.not_before < first->not_before) first = &chunk;
    last = std::max(last, chunk.not_before);
  }
  if (first == nullptr) return std::nullopt;
  const std::string attempt = fmt::format("{} of {}", first->attempts, options.attempts_max);
  return RetryNote{.line = Line(attempt, "in", first->not_before - now, *first->failure),
                   .next = last};
}

}  // namespace

Result<std::optional<RetryNote>> FindRetry(store::JobStore& store, const engine::Job& job,
                                           const engine::Options& options, Timestamp now) {
  if (job.state != engine::JobState::kProcessing) return std::nullopt;
  const bool works_on_chunks = job.phase == engine::JobPhase::kProcessing &&
                               job.chunks_open() > 0 && !job.cancel_requested_at.has_value();
  if (!works_on_chunks) return OfAct(job, options, now);
  return OfChunks(TRY(store.ListChunks(job.id, engine::ChunkState::kPending, -1, kChunksLookedAt)),
                  options, now);
}

}  // namespace spillway::cli
