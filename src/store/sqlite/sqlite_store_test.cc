#include "store/sqlite/sqlite_store.h"

#include "store/job_store_conformance.h"
#include "store/sqlite/temporary_state.h"

namespace spillway::store {
namespace {

/// A store and what it needs.
struct OpenStore {
  OpenStore(std::shared_ptr<TemporaryState> state, Clock& clock)
      : folder(std::move(state)),
        database(Must(Database::Open(folder->path()))),
        store(*database, clock) {}

  std::shared_ptr<TemporaryState> folder;
  std::unique_ptr<Database> database;
  SqliteStore store;
};

StoreOpener MakeState() {
  return [state = std::make_shared<TemporaryState>()](Clock& clock) {
    auto open = std::make_shared<OpenStore>(state, clock);
    return std::shared_ptr<JobStore>(open, &open->store);
  };
}

INSTANTIATE_TEST_SUITE_P(Sqlite, JobStoreConformance,
                         testing::Values(StoreUnderTest{"Sqlite", MakeState}));

}  // namespace
}  // namespace spillway::store
