#include "storage/local/local_store.h"

#include "storage/conformance.h"
#include "base/scratch_directory.h"

namespace spillway::storage {
namespace {

StoreOpener MakePlace() {
  // The closure owns the directory, and std::function wants it copyable.
  return [directory = std::make_shared<ScratchDirectory>()] {
    return LocalStore::OpenOrCreate(directory->path()).value();
  };
}

const StoreUnderTest kLocal = {.name = "local", .make_place = MakePlace};
INSTANTIATE_TEST_SUITE_P(Local, ObjectStoreConformance, testing::Values(kLocal));
INSTANTIATE_TEST_SUITE_P(Local, ObjectStoreStageConformance, testing::Values(kLocal));

}  // namespace
}  // namespace spillway::storage
