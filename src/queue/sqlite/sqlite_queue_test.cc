#include "queue/sqlite/sqlite_queue.h"

#include "base/manual_clock.h"
#include "queue/turns_conformance.h"
#include "store/sqlite/temporary_state.h"

namespace spillway::store {
namespace {

/// A queue and what it needs.
struct OpenQueue {
  OpenQueue(const std::filesystem::path& path, Clock& clock)
      : database(*Database::Open(path)), queue(*database, clock) {}

  std::unique_ptr<Database> database;
  SqliteQueue queue;
};

QueueState MakeState() {
  struct State {
    TemporaryState folder;
    ManualClock clock;
  };
  auto state = std::make_shared<State>();
  return {.open =
              [state] {
                auto open = std::make_shared<OpenQueue>(state->folder.path(), state->clock);
                return std::shared_ptr<Queue>(open, &open->queue);
              },
          .pass = [state](std::chrono::seconds time) { state->clock.Advance(time); }};
}

INSTANTIATE_TEST_SUITE_P(Sqlite, QueueConformance,
                         testing::Values(QueueUnderTest{"Sqlite", MakeState}));
INSTANTIATE_TEST_SUITE_P(Sqlite, QueueTurns, testing::Values(QueueUnderTest{"Sqlite", MakeState}));

}  // namespace
}  // namespace spillway::store
