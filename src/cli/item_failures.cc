#include "cli/item_failures.h"

#include <utility>

#include <fmt/format.h>

#include "cli/messages.h"
#include "recipe/recipients.h"

namespace spillway::cli {
namespace {

constexpr int kChunksAtOnce = 16;

}  // namespace

Result<std::vector<engine::ErrorRecord>> FirstFailures(store::JobStore& store,
                                                       const engine::Job& job, size_t limit) {
  std::vector<engine::ErrorRecord> first;
  if (job.counts.failed == 0) return first;
  for (int64_t after = -1; first.size() < limit;) {
    const std::vector<engine::Chunk> chunks =
        TRY(store.ListChunks(job.id, engine::ChunkState::kSucceeded, after, kChunksAtOnce));
    if (chunks.empty()) break;
    after = chunks.back().index;
    for (const engine::Chunk& chunk : chunks) {
      engine::ChunkResult result = TRY(engine::ChunkResultFromJson(chunk.result));
      for (engine::ErrorRecord& error : result.errors) {
        if (error.classification == recipe::kExcluded || first.size() == limit) continue;
        first.push_back(std::move(error));
      }
    }
  }
  return first;
}

nlohmann::ordered_json FailuresToJson(std::span<const engine::ErrorRecord> failures) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const engine::ErrorRecord& failure : failures) {
    json.push_back({{"key", failure.key},
                    {"classification", failure.classification},
                    {"message", InCommands(failure.message)}});
  }
  return json;
}

void PrintFailures(std::span<const engine::ErrorRecord> failures, std::FILE* to) {
  for (const engine::ErrorRecord& failure : failures) {
    PrintLine(fmt::format("  {}: {}", failure.key, InCommands(failure.message)), to);
  }
}

}  // namespace spillway::cli
