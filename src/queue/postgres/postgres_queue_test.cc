#include "queue/postgres/postgres_queue.h"

#include <array>

#include "base/manual_clock.h"
#include "queue/turns_conformance.h"
#include "store/postgres/temporary_state.h"

namespace spillway::store {
namespace {

using postgres_state::OpenState;
using postgres_state::TemporaryState;

QueueState MakeState() {
  struct State {
    TemporaryState database;
    ManualClock clock;
  };
  auto state = std::make_shared<State>();
  return {.open =
              [state] {
                auto open = std::make_shared<OpenState>(state->database.address(), state->clock);
                return std::shared_ptr<Queue>(open, &open->queue);
              },
          .pass = [state](std::chrono::seconds time) { state->clock.Advance(time); }};
}

INSTANTIATE_TEST_SUITE_P(Postgres, QueueConformance,
                         testing::Values(QueueUnderTest{"Postgres", MakeState}));
INSTANTIATE_TEST_SUITE_P(Postgres, QueueTurns,
                         testing::Values(QueueUnderTest{"Postgres", MakeState}));

/// Fails the test by never returning when nobody is notified.
TEST(PostgresQueueTest, ASenderWakesThoseThatWaitInOtherProcesses) {
  const TemporaryState state;
  SystemClock clock;
  OpenState sender(state.address(), clock);
  OpenState receiver(state.address(), clock);
  std::jthread sending([&](std::stop_token stop) {
    while (!stop.stop_requested()) {  // again, until the other listens
      EXPECT_TRUE(sender.queue.Send(std::vector<Message>{{.group = "g", .body = "b"}}));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  // While it does not listen yet, Wait lets a short pause pass.
  for (int waits = 0; waits < 3;) {
    ASSERT_TRUE(receiver.queue.Receive(1, std::chrono::hours(1)));
    const auto pause = receiver.queue.listening() ? std::chrono::hours(1) : std::chrono::hours(0);
    receiver.queue.Wait(clock, pause, {});
    if (pause > std::chrono::hours(0)) ++waits;
  }
}

/// Fails the test by never returning when nobody is notified. The message itself, which was sent
/// before, ends one wait at most.
TEST(PostgresQueueTest, AMessageThatIsGivenBackAtOnceWakesThoseThatWait) {
  const TemporaryState state;
  SystemClock clock;
  OpenState holder(state.address(), clock);
  OpenState waiter(state.address(), clock);
  waiter.queue.Wait(clock, std::chrono::milliseconds(1), {});
  while (!waiter.queue.listening()) std::this_thread::yield();
  ASSERT_TRUE(holder.queue.Send(std::vector<Message>{{.group = "g", .body = "b"}}));
  for (int waits = 0; waits < 3; ++waits) {
    const auto held = holder.queue.Receive(1, std::chrono::hours(1));
    ASSERT_EQ(held->size(), 1U);
    ASSERT_TRUE(waiter.queue.Receive(1, std::chrono::hours(1))->empty());
    const std::array handles = {held->front().handle};
    ASSERT_TRUE(holder.queue.GiveBack(handles, std::chrono::milliseconds(0)));
    waiter.queue.Wait(clock, std::chrono::hours(1), {});
  }
}

TEST(PostgresQueueTest, AStopEndsAWait) {
  const TemporaryState state;
  SystemClock clock;
  OpenState open(state.address(), clock);
  std::stop_source stop;
  open.queue.Wait(clock, std::chrono::milliseconds(1), stop.get_token());
  while (!open.queue.listening()) std::this_thread::yield();
  ASSERT_TRUE(open.queue.Receive(1, std::chrono::hours(1)));
  stop.request_stop();
  open.queue.Wait(clock, std::chrono::hours(1), stop.get_token());
}

}  // namespace
}  // namespace spillway::store
