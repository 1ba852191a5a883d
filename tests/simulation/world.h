#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "simulation/process.h"
#include "storage/object_store.h"
#include "store/job_store.h"

namespace spillway::simulation {

/// Puts something broken in the place of what the engine works with. Empty ones leave it whole.
struct Doubles {
  std::function<std::unique_ptr<store::JobStore>(store::JobStore&)> store;
  std::function<std::unique_ptr<storage::ObjectStore>(storage::ObjectStore&)> storage;
};

enum class StoreKind { kMemory, kSqlite };

struct Setup {
  uint64_t seed = 0;  ///< Decides everything else that happens.
  StoreKind store = StoreKind::kMemory;
  Trace trace;
  Doubles doubles;
};

struct Outcome {
  std::optional<std::string> violation;
  size_t jobs = 0;
  size_t succeeded = 0;
  double simulated_seconds = 0;
};

/// Runs a few jobs from their requests to their end, on several servers, with everything that may
/// go wrong going wrong; then lets the faults end, and looks whether all comes to rest.
Outcome RunWorld(const Setup& setup);

}  // namespace spillway::simulation
