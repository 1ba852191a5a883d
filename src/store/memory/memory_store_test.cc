#include "store/memory/memory_store.h"

#include <memory>

#include "store/job_store_conformance.h"

namespace spillway::store {
namespace {

StoreOpener MakeState() {
  struct Open {
    Open(std::shared_ptr<MemoryDatabase> held, Clock& clock)
        : database(std::move(held)), store(*database, clock) {}
    std::shared_ptr<MemoryDatabase> database;
    MemoryStore store;
  };
  return [database = std::make_shared<MemoryDatabase>()](Clock& clock) {
    auto open = std::make_shared<Open>(database, clock);
    return std::shared_ptr<JobStore>(open, &open->store);
  };
}

INSTANTIATE_TEST_SUITE_P(Memory, JobStoreConformance,
                         testing::Values(StoreUnderTest{"Memory", MakeState}));

}  // namespace
}  // namespace spillway::store
