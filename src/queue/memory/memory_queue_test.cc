#include "queue/memory/memory_queue.h"

#include <memory>

#include "base/manual_clock.h"
#include "queue/turns_conformance.h"

namespace spillway::store {
namespace {

struct State {
  MemoryDatabase database;
  ManualClock clock;
};

struct OpenQueue {
  explicit OpenQueue(std::shared_ptr<State> held)
      : state(std::move(held)), queue(state->database, state->clock) {}
  std::shared_ptr<State> state;
  MemoryQueue queue;
};

QueueState MakeState() {
  auto state = std::make_shared<State>();
  return {.open =
              [state] {
                auto open = std::make_shared<OpenQueue>(state);
                return std::shared_ptr<Queue>(open, &open->queue);
              },
          .pass = [state](std::chrono::seconds time) { state->clock.Advance(time); }};
}

INSTANTIATE_TEST_SUITE_P(Memory, QueueConformance,
                         testing::Values(QueueUnderTest{"Memory", MakeState}));
INSTANTIATE_TEST_SUITE_P(Memory, QueueTurns, testing::Values(QueueUnderTest{"Memory", MakeState}));

}  // namespace
}  // namespace spillway::store
