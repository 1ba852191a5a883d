#include "engine/progress.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace spillway::engine {
namespace {

/// Of so few open chunks it matters how far each is; of more, what is done tells enough.
constexpr size_t kOpenMax = 256;

/// Adds what the chunks under way have told.
Result<> AddUnderWay(store::JobStore& store, const Job& job, Progress& progress) {
  if (job.state != JobState::kProcessing || job.phase != JobPhase::kProcessing ||
      job.chunks_open() > static_cast<int64_t>(kOpenMax))
    return {};
  const std::vector<Chunk> leased =
      TRY(store.ListChunks(job.id, ChunkState::kLeased, -1, kOpenMax));
  for (const Chunk& chunk : leased) {
    progress.rows_done += std::clamp<int64_t>(chunk.progress.rows, 0, chunk.planned);
    progress.bytes += chunk.progress.bytes;
  }
  // Some may have settled since the job was read.
  progress.rows_done = std::min(progress.rows_done, progress.rows_total);
  return {};
}

}  // namespace

Result<Progress> ProgressOf(store::JobStore& store, const Job& job, Timestamp now) {
  const Counts& counts = job.counts;
  Progress progress{.rows_done = counts.written + counts.excluded + counts.failed,
                    .rows_total = counts.planned,
                    .bytes = counts.bytes,
                    .chunks_done = job.chunks_succeeded + job.chunks_dead,
                    .chunks_total = job.chunks_total};
  if (job.state == JobState::kPending) {
    progress.queue_position = TRY(store.CountAhead(job.id)) + 1;
    return progress;
  }
  TRY(AddUnderWay(store, job, progress));
  if (!job.started_at.has_value()) return progress;
  const std::chrono::duration<double> elapsed = job.finished_at.value_or(now) - *job.started_at;
  if (elapsed.count() <= 0 || progress.rows_done == 0) return progress;
  const double rate = static_cast<double>(progress.rows_done) / elapsed.count();
  progress.rows_per_second = rate;
  if (job.state == JobState::kProcessing) {
    const auto rows_left = static_cast<double>(progress.rows_total - progress.rows_done);
    progress.remaining = std::chrono::seconds(std::llround(rows_left / rate));
  }
  return progress;
}

}  // namespace spillway::engine
