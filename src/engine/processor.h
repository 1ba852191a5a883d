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
  std::unique_ptr<Heartbeat::Held> held;
  Stagings::Use staging;
  Staging::Place place;
};

/// One job's claimed chunks, in the order of their indices.
struct HeldChunks {
  Job job;
  const recipe::Recipe* recipe = nullptr;
  std::optional<Error> obstacle;  ///< Why nothing of this job can be processed here.
  std::vector<HeldChunk> chunks;
  /// If there are none: when the first of those that wait can be claimed.
  std::optional<Timestamp> again_at;
  bool cancel_requested = false;
};

/// Claims up to `limit` of the job's chunks and puts them in line for its destination, unless that
/// could not be opened. Callers of one process take turns, so that the line is in the order of the
/// chunks.
Result<HeldChunks> ClaimChunks(Context& context, std::string_view job_id, size_t limit,
                               const Result<recipe::Destination>& destination);

/// The outcome of processing claimed chunks.
struct Processed {
  size_t begun = 0;  ///< Chunks that were worked on; the others were given back or postponed.
  bool cancel_requested = false;
  int64_t open = 0;  ///< Open chunks of the job afterwards; if 0, it can be finished.
};

/// Processes the claimed chunks one after the other, begins none after `span`, gives back those not
/// begun, and settles all together.
Result<Processed> ProcessChunks(Context& context, HeldChunks chunks, Random& random,
                                std::chrono::milliseconds span);

}  // namespace spillway::engine
