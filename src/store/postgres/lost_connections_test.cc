// A job's whole life, with the connection lost at each message in turn, before the server sees it
// or before its answer comes back.
#include <gmock/gmock.h>

#include "base/manual_clock.h"
#include "postgres/cutting_proxy.h"
#include "postgres/server_fixture.h"
#include "store/postgres/temporary_state.h"

namespace spillway::store::postgres_state {
namespace {

using engine::Chunk;
using engine::Job;
using engine::JobPhase;
using engine::JobState;
using engine::Lease;
using postgres::CuttingProxy;

constexpr std::chrono::seconds kLease{30};
constexpr int64_t kChunks = 2;

/// Does what the engine does, and does it again where nobody can say whether it is done.
class Life {
 public:
  Life(OpenState& state, ManualClock& clock) : state_(state), clock_(clock) {}

  Job Live() {
    Job request;
    request.id = request.task_id = "task";
    id_ = Certain([&] { return state_.store.Create(request, false); }).job.id;
    while (Now().state == JobState::kPending) {
      Certain([&] { return state_.store.Admit("", 1); });
    }
    while (Now().phase != JobPhase::kProcessing) Plan();
    while (Now().chunks_open() > 0) Process();
    while (Now().state != JobState::kSucceeded) Finish();
    return Now();
  }

 private:
  /// Repeats calls that could not say what they did; kConflict is an answer.
  template <class Call>
  auto Certain(const Call& call) -> std::remove_cvref_t<decltype(*call())> {
    while (true) {
      auto answer = call();
      if (answer.has_value()) return *std::move(answer);
      RequireWorthARetry(answer.error());
    }
  }
  template <class Call>
  void Attempt(const Call& call) {
    const auto answer = call();
    if (answer.has_value() || answer.error().code == ErrorCode::kConflict) return;
    RequireWorthARetry(answer.error());
  }
  /// The engine takes any other error for the end of the job.
  static void RequireWorthARetry(const Error& error) {
    if (error.code == ErrorCode::kUnavailable && error.retryable) return;
    throw std::runtime_error(error.message);
  }

  Job Now() {
    return Certain([&] { return state_.store.Get(id_); });
  }

  Lease Hold() {
    const Job job = Certain([&] { return state_.store.AcquireJob(id_, "worker", kLease); });
    return {.job_id = id_, .owner = "worker", .token = job.lease_token};
  }

  void Plan() {
    const Lease lease = Hold();
    const std::vector<NewChunk> chunks = {{.index = 0, .spec = "a", .planned = 5},
                                          {.index = 1, .spec = "b", .planned = 5}};
    Attempt([&] { return state_.store.AddChunks(lease, chunks); });
    Attempt([&] {
      return state_.store.Update(lease, {.phase = JobPhase::kProcessing,
                                         .planned = 10,
                                         .chunks_total = kChunks,
                                         .release = true});
    });
  }

  void Process() {
    Attempt([&] {
      return state_.queue.Send(
          std::vector<Message>{{.group = id_, .body = "a"}, {.group = id_, .body = "b"}});
    });
    const auto deliveries = Certain([&] { return state_.queue.Receive(10, kLease); });
    for (const Delivery& delivery : deliveries) {
      const std::array handles = {delivery.handle};
      Attempt([&] { return state_.queue.Extend(handles, kLease); });
      ProcessChunks();
      if (delivery.body == "a") {
        Attempt([&] { return state_.queue.Delete(handles); });
      } else {
        Attempt([&] { return state_.queue.GiveBack(handles, kLease); });
      }
    }
    clock_.Advance(kLease * 2);  // leases whose claim was lost end
  }

  void ProcessChunks() {
    const Result<Claims> claims = state_.store.ClaimChunks(id_, -1, 1, "worker", kLease);
    if (!claims.has_value()) {
      RequireWorthARetry(claims.error());
      ++claims_unknown_;
      return;
    }
    EXPECT_FALSE(claims->cancel_requested);
    const auto leased = Certain(
        [&] { return state_.store.ListChunks(id_, engine::ChunkState::kLeased, -1, kChunks); });
    EXPECT_LE(leased.size(), claims->chunks.size() + claims_unknown_)
        << "a chunk is leased to nobody";
    for (const Chunk& chunk : claims->chunks) ProcessChunk(chunk);
  }

  void ProcessChunk(const Chunk& chunk) {
    EXPECT_TRUE(tokens_.emplace(chunk.index, chunk.lease_token).second) << "a token given twice";
    const Lease lease{
        .job_id = id_, .chunk = chunk.index, .owner = "worker", .token = chunk.lease_token};
    Attempt([&] { return state_.store.Renew(std::array{Renewal{.lease = lease}}, kLease); });
    const std::array ids = {id_};
    EXPECT_FALSE(Certain([&] { return state_.store.CancelRequested(ids); }).at(0));
    const std::vector<Settlement> done = {{.lease = lease,
                                           .kind = Settlement::Kind::kSucceeded,
                                           .result = "{}",
                                           .counts = {.planned = 5, .written = 5, .bytes = 50}}};
    const Settled settled = Certain([&] { return state_.store.Settle(done); }).at(0);
    EXPECT_TRUE(settled.applied);
    EXPECT_EQ(settled.chunks_open, --open_);
  }

  void Finish() {
    const Lease lease = Hold();
    for (const JobPhase phase : {JobPhase::kFinalizing, JobPhase::kCompleted})
      Attempt([&] { return state_.store.Update(lease, {.phase = phase}); });
    Attempt([&] {
      return state_.store.Update(lease, {.state = JobState::kSucceeded, .actor = "worker"});
    });
  }

  OpenState& state_;
  ManualClock& clock_;
  std::string id_;
  int64_t open_ = kChunks;
  size_t claims_unknown_ = 0;
  std::set<std::pair<int64_t, int64_t>> tokens_;
};

class LostConnections : public testing::TestWithParam<CuttingProxy::Cut> {};

TEST_P(LostConnections, AreHarmlessAtEveryMessage) {
  CuttingProxy proxy(Server().port());
  int64_t message = 0;
  do {
    ++message;
    const TemporaryState database;
    ASSERT_TRUE(Database::Open(database.address()));
    const std::string address =
        "postgres://postgres@127.0.0.1:" + std::to_string(proxy.port()) + "/" + database.name();
    ManualClock clock;
    OpenState state(address, clock);
    proxy.CutAt(message, GetParam());
    const Job job = Life(state, clock).Live();
    EXPECT_EQ(job.counts, (engine::Counts{.planned = 10, .written = 10, .bytes = 100})) << message;
    EXPECT_EQ(job.chunks_succeeded, kChunks);
    EXPECT_EQ(postgres::Must(state.store.History(job.id)).size(), 3U) << message;
  } while (proxy.has_cut());
  EXPECT_GT(message, 30) << "no life is that short";
}

INSTANTIATE_TEST_SUITE_P(Postgres, LostConnections,
                         testing::Values(CuttingProxy::Cut::kBefore, CuttingProxy::Cut::kAfter));

}  // namespace
}  // namespace spillway::store::postgres_state
