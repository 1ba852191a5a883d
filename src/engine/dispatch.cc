#include "engine/dispatch.h"

#include <array>
#include <vector>

#include "engine/work.h"

namespace spillway::engine {
namespace {

constexpr size_t kPage = 500;

Result<> DispatchChunks(store::JobStore& store, store::Queue& queue, const Job& job, Timestamp now,
                        size_t chunks_max) {
  int64_t after = -1;
  size_t sent = 0;
  while (sent < chunks_max) {
    const std::vector<Chunk> chunks = TRY(store.ListChunks(job.id, std::nullopt, after, kPage));
    if (chunks.empty()) return {};
    after = chunks.back().index;
    std::vector<Work> work;
    for (const Chunk& chunk : chunks) {
      const bool abandoned = chunk.state == ChunkState::kLeased && chunk.lease_expires_at <= now;
      if (chunk.state == ChunkState::kPending || abandoned) {
        work.push_back({.act = Act::kProcess, .job_id = job.id, .chunk = chunk.index});
      }
    }
    if (work.size() > chunks_max - sent) work.resize(chunks_max - sent);
    sent += work.size();
    TRY(SendWork(queue, work));
  }
  return {};
}

}  // namespace

Result<> Dispatch(store::JobStore& store, store::Queue& queue, const Job& job, Timestamp now,
                  size_t chunks_max) {
  if (job.state != JobState::kProcessing) return {};
  Act act = Act::kFinish;
  if (job.cancel_requested_at.has_value()) {
    act = Act::kDiscard;
  } else if (job.phase < JobPhase::kProcessing) {
    act = Act::kPlan;
  } else if (job.phase == JobPhase::kProcessing && job.chunks_open() > 0) {
    return DispatchChunks(store, queue, job, now, chunks_max);
  }
  return SendWork(queue, std::array{Work{.act = act, .job_id = job.id}});
}

}  // namespace spillway::engine
