// The suites once more, through PgBouncer in transaction mode: every transaction may have another
// session.
#include "base/manual_clock.h"
#include "postgres/server_fixture.h"
#include "queue/conformance.h"
#include "store/job_store_conformance.h"
#include "store/postgres/temporary_state.h"

namespace spillway::store {
namespace {

using postgres_state::OpenState;
using postgres_state::TemporaryState;

std::string PooledAddress(const TemporaryState& state) {
  static postgres::TestPooler pooler(postgres_state::Server());
  return pooler.Url(state.name());
}

StoreOpener MakeStore() {
  return [state = std::make_shared<TemporaryState>()](Clock& clock) {
    auto open = std::make_shared<OpenState>(PooledAddress(*state), clock);
    return std::shared_ptr<JobStore>(open, &open->store);
  };
}

QueueState MakeQueue() {
  struct State {
    TemporaryState database;
    ManualClock clock;
  };
  auto state = std::make_shared<State>();
  return {.open =
              [state] {
                auto open =
                    std::make_shared<OpenState>(PooledAddress(state->database), state->clock);
                return std::shared_ptr<Queue>(open, &open->queue);
              },
          .pass = [state](std::chrono::seconds time) { state->clock.Advance(time); }};
}

INSTANTIATE_TEST_SUITE_P(PgBouncer, JobStoreConformance,
                         testing::Values(StoreUnderTest{"PgBouncer", MakeStore}));
INSTANTIATE_TEST_SUITE_P(PgBouncer, QueueConformance,
                         testing::Values(QueueUnderTest{"PgBouncer", MakeQueue}));

TEST(PgBouncer, NobodyListensThroughIt) {
  const TemporaryState state;
  const auto pooled = postgres::Must(postgres::Connection::Open(PooledAddress(state)));
  EXPECT_FALSE(postgres::Must(pooled->IsDirect()));
  const auto direct = postgres::Must(postgres::Connection::Open(state.address()));
  EXPECT_TRUE(postgres::Must(direct->IsDirect()));
  // A wait there ends with its pause.
  SystemClock clock;
  OpenState open(PooledAddress(state), clock);
  open.queue.Wait(clock, std::chrono::milliseconds(1), {});
  EXPECT_FALSE(open.queue.listening());
}

}  // namespace
}  // namespace spillway::store
