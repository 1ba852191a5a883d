#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/act.h"
#include "staging/staging.h"

namespace spillway::engine {

/// A claimed chunk with its lease and its place in line.
struct HeldChunk {
  Chunk chunk;
  std::string handle;  ///< Of the message that brought it.
  std::unique_ptr<Heartbeat::Held> held;
  Stagings::Use staging;
  Staging::Place place;
};

/// One job's claimed chunks, in order of their indices.
struct HeldChunks {
  Job job;
  const recipe::Recipe* recipe = nullptr;
  std::optional<Error> obstacle;  ///< Why nothing of this job can be processed here.
  std::vector<HeldChunk> chunks;
};

/// A message that asked for a chunk of the job.
struct ChunkMessage {
  int64_t chunk = 0;
  std::string handle;
};

/// Claims what the messages ask for, deals with messages whose chunks cannot be had, and puts the
/// rest in line. Callers of one process take turns, so that the line is in the order of delivery.
Result<HeldChunks> ClaimChunks(Context& context, std::string_view job_id,
                               std::span<const ChunkMessage> messages);

/// Processes the claimed chunks one after the other and settles them together.
Result<> ProcessChunks(Context& context, HeldChunks chunks, Random& random);

}  // namespace spillway::engine
