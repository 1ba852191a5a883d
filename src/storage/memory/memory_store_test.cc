#include "storage/memory/memory_store.h"

#include "storage/conformance.h"

namespace spillway::storage {
namespace {

StoreOpener MakePlace() {
  return [place = std::make_shared<MemoryPlace>(), clock = std::make_shared<SystemClock>()] {
    return std::make_unique<MemoryStore>(*place, *clock);
  };
}

const StoreUnderTest kMemory = {.name = "memory", .make_place = MakePlace};
INSTANTIATE_TEST_SUITE_P(Memory, ObjectStoreConformance, testing::Values(kMemory));
INSTANTIATE_TEST_SUITE_P(Memory, ObjectStoreStageConformance, testing::Values(kMemory));

}  // namespace
}  // namespace spillway::storage
