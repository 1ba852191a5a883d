#include "store/postgres/postgres_store.h"

#include "store/job_store_conformance.h"
#include "store/postgres/temporary_state.h"

namespace spillway::store {
namespace {

using postgres_state::OpenState;
using postgres_state::TemporaryState;

StoreOpener MakeState() {
  return [state = std::make_shared<TemporaryState>()](Clock& clock) {
    auto open = std::make_shared<OpenState>(state->address(), clock);
    return std::shared_ptr<JobStore>(open, &open->store);
  };
}

INSTANTIATE_TEST_SUITE_P(Postgres, JobStoreConformance,
                         testing::Values(StoreUnderTest{"Postgres", MakeState}));

}  // namespace
}  // namespace spillway::store
