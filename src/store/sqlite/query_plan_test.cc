// No statement reads a whole table: what the interfaces promise of keys and indices holds here too.
#include <array>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "queue/sqlite/sqlite_queue.h"
#include "store/sqlite/sqlite_store.h"
#include "store/sqlite/temporary_state.h"

namespace spillway::store {
namespace {

/// The statements of a connection that stepped through a table or an index without a condition on
/// it.
std::vector<std::string> FullScans(Connection& connection) {
  std::vector<std::string> texts;
  for (sqlite3_stmt* statement = sqlite3_next_stmt(connection.handle(), nullptr);
       statement != nullptr; statement = sqlite3_next_stmt(connection.handle(), statement)) {
    if (sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0) > 0) {
      texts.emplace_back(sqlite3_sql(statement));
    }
  }
  return texts;
}

/// The instructions that a connection's statements have run since it was last asked.
Result<int64_t> StepsOf(Connection& connection) {
  int64_t steps = 0;
  for (sqlite3_stmt* statement = sqlite3_next_stmt(connection.handle(), nullptr);
       statement != nullptr; statement = sqlite3_next_stmt(connection.handle(), statement)) {
    steps += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, /*resetFlg=*/1);
  }
  return steps;
}

class QueryPlanTest : public testing::Test {
 protected:
  engine::Lease Hold(const std::string& id) {
    const engine::Job job = *store_.AcquireJob(id, "worker", std::chrono::seconds(30));
    return {.job_id = job.id, .owner = "worker", .token = job.lease_token};
  }

  /// A job's life, with every kind of call.
  void Live(const std::string& task, bool fails) {
    engine::Job request;
    request.id = request.task_id = task;
    request.tenant = fails ? "fails" : "succeeds";
    const std::string id = store_.Create(request, false)->job.id;
    // Redriven jobs that were cancelled are let in first.
    while (store_.Admit("", 1000)->has_value()) continue;
    const engine::Lease lease = Hold(id);
    ASSERT_TRUE(store_.AddChunks(lease, std::vector<NewChunk>{{.index = 0}, {.index = 1}}));
    ASSERT_TRUE(
        queue_.Send(std::vector<Message>{{.group = id, .body = "0"}, {.group = id, .body = "1"}}));
    ASSERT_TRUE(store_.Update(lease, {.phase = engine::JobPhase::kProcessing, .chunks_total = 2}));
    for (int64_t i = 0; i < 2; ++i) {
      const auto claims = *store_.ClaimChunks(id, -1, 1, "worker", std::chrono::seconds(30));
      const engine::Chunk& chunk = claims.chunks.at(0);
      const engine::Lease held{
          .job_id = id, .chunk = i, .owner = "worker", .token = chunk.lease_token};
      ASSERT_TRUE(store_.Renew(std::vector<Renewal>{{.lease = held}, {.lease = lease}},
                               std::chrono::seconds(30)));
      using Kind = Settlement::Kind;
      ASSERT_TRUE(
          store_.Settle(std::vector<Settlement>{{.lease = held,
                                                 .kind = fails ? Kind::kDead : Kind::kSucceeded,
                                                 .failure = Error{.message = "broken"}}}));
    }
    ASSERT_TRUE(store_.ClaimChunks(id, -1, 1, "worker", std::chrono::seconds(30)));
    ASSERT_TRUE(store_.CancelRequested(std::vector{id}));
    const Timestamp now = clock_.Now();
    ASSERT_TRUE(store_.Fire({.schedule = task, .until = now}));
    ASSERT_TRUE(store_.Fire(
        {.schedule = task, .after = now, .until = now + std::chrono::seconds(1), .job = request}));
    if (!fails) return;
    ASSERT_TRUE(store_.Update(
        lease, {.state = engine::JobState::kFailed, .failure = Error{.message = "broken"}}));
    ASSERT_TRUE(store_.Redrive(id, "ada"));
    ASSERT_TRUE(store_.RequestCancel(id, "ada", ""));
  }

  /// A job whose chunks all wait for their time; its id.
  std::string Postponed(const std::string& task, int64_t chunks) {
    engine::Job request;
    request.id = request.task_id = task;
    const std::string id = store_.Create(request, false)->job.id;
    EXPECT_TRUE(store_.Admit("", 1000)->has_value());
    const engine::Lease lease = Hold(id);
    std::vector<NewChunk> planned;
    for (int64_t i = 0; i < chunks; ++i) planned.push_back({.index = i});
    EXPECT_TRUE(store_.AddChunks(lease, planned));
    EXPECT_TRUE(store_.Update(
        lease, {.phase = engine::JobPhase::kProcessing, .chunks_total = chunks, .release = true}));
    const auto claims =
        store_.ClaimChunks(id, -1, kSettlementsMax, "worker", std::chrono::seconds(30));
    std::vector<Settlement> postponed;
    for (const engine::Chunk& chunk : claims->chunks) {
      postponed.push_back({.lease = {.job_id = id,
                                     .chunk = chunk.index,
                                     .owner = "worker",
                                     .token = chunk.lease_token},
                           .kind = Settlement::Kind::kPostponed,
                           .not_before = clock_.Now() + std::chrono::hours(12 + chunk.index)});
    }
    EXPECT_TRUE(store_.Settle(postponed));
    return id;
  }

  void Look(const std::string& id) {
    ASSERT_TRUE(store_.Get(id));
    ASSERT_TRUE(store_.History(id));
    for (const auto state : {engine::ChunkState::kPending, engine::ChunkState::kSucceeded}) {
      ASSERT_TRUE(store_.ListChunks(id, state, -1, 10));
    }
    ASSERT_TRUE(store_.ListChunks(id, std::nullopt, -1, 10));
    ASSERT_TRUE(store_.Stalled({.before = clock_.Now()}, 10));
    ASSERT_TRUE(store_.WaitingGroups(clock_.Now()));
    ASSERT_TRUE(store_.CountAhead(id));
    const Timestamp later = clock_.Now() + std::chrono::seconds(1);
    for (const auto state : {engine::JobState::kFailed, engine::JobState::kCancelled}) {
      const auto jobs =
          store_.Expirable({.state = state, .ended_before = later, .begun_before = later}, 10);
      ASSERT_TRUE(jobs);
      for (const engine::Job& job : *jobs) {
        ASSERT_TRUE(store_.BeginExpiry(job, 1, 1));
        ASSERT_TRUE(store_.EndExpiry(job.id));
      }
    }
    ASSERT_TRUE(store_.List({}, "", 10));
    ASSERT_TRUE(store_.List({.export_name = "e"}, "", 10));
    ASSERT_TRUE(store_.List({.tenant = "t"}, "", 10));
    ASSERT_TRUE(store_.List({.state = engine::JobState::kFailed}, "", 10));
  }

  TemporaryState state_;
  ManualClock clock_;
  std::unique_ptr<Database> database_ = *Database::Open(state_.path());
  SqliteStore store_{*database_, clock_};
  SqliteQueue queue_{*database_, clock_};
};

TEST_F(QueryPlanTest, NoStatementReadsAWholeTable) {
  for (int i = 0; i < 20; ++i) {
    Live("task" + std::to_string(i), i % 2 == 0);
    Look("task" + std::to_string(i) + "-1");
    const auto deliveries = queue_.Receive(1, std::chrono::seconds(30));
    ASSERT_TRUE(deliveries.has_value());
    ASSERT_EQ(deliveries->size(), 1U);
    const std::array handles = {deliveries->front().handle};
    ASSERT_TRUE(queue_.Extend(handles, std::chrono::seconds(60)).has_value());
    ASSERT_TRUE(queue_.GiveBack(handles, std::chrono::seconds(60)).has_value());
    ASSERT_TRUE(queue_.Delete(handles).has_value());
  }
  const auto full_scans = [](Connection& connection) -> Result<std::vector<std::string>> {
    return FullScans(connection);
  };
  EXPECT_THAT(*database_->Write(Durability::kProcess, full_scans), testing::IsEmpty());
  EXPECT_THAT(*database_->Read(full_scans), testing::IsEmpty());
}

TEST_F(QueryPlanTest, ChunksThatWaitAreNotRead) {
  const auto steps = [&] {
    return *database_->Write(Durability::kProcess, StepsOf) + *database_->Read(StepsOf);
  };
  const auto steps_of_look = [&](const std::string& task, int64_t chunks) {
    const std::string id = Postponed(task, chunks);
    steps();
    EXPECT_THAT(*store_.Stalled({.before = clock_.Now() + std::chrono::hours(1)}, 10),
                testing::IsEmpty());
    const auto claims = store_.ClaimChunks(id, -1, 10, "worker", std::chrono::seconds(30));
    EXPECT_THAT(claims->chunks, testing::IsEmpty());
    EXPECT_EQ(claims->again_at, clock_.Now() + std::chrono::hours(12));
    return steps();
  };
  const int64_t of_few = steps_of_look("few", 5);
  EXPECT_LT(steps_of_look("many", kSettlementsMax), 3 * of_few);
}

TEST_F(QueryPlanTest, AWholeTableWouldBeSeen) {
  Live("task", false);
  const auto scans = [](Connection& connection) -> Result<std::vector<std::string>> {
    TRY(Query(connection, "SELECT spec FROM chunks WHERE planned > 3").Run());
    return FullScans(connection);
  };
  EXPECT_EQ(database_->Read(scans)->size(), 1U);
}

}  // namespace
}  // namespace spillway::store
