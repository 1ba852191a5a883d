// What the database itself refuses, and which databases are refused.
#include <array>
#include <thread>

#include <gmock/gmock.h>

#include "base/manual_clock.h"
#include "job/state_machine.h"
#include "postgres/server_fixture.h"
#include "store/postgres/migrations.h"
#include "store/postgres/temporary_state.h"

namespace spillway::store::postgres_state {
namespace {

using engine::JobState;
using postgres::Connection;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::array kStates = {JobState::kPending, JobState::kProcessing, JobState::kSucceeded,
                                JobState::kFailed, JobState::kCancelled};

/// A legal row in each state; the chunks of the one in processing are 0 pending, 1 leased, 2
/// succeeded, 3 dead.
constexpr char kRows[] = R"sql(
  SET search_path = spillway;
  INSERT INTO jobs (id, task_id, run, export_name, recipe, tenant, job_group, requested_by, state, phase, created_at,
    updated_at)
  SELECT value, value, 1, 'e', 'r', 't', 'g', 'ada', 'pending', 'initializing', 1, 1
  FROM unnest('{pending,processing,succeeded,failed,cancelled}'::text[]) AS value;
  INSERT INTO job_documents (job, parameters) SELECT number, '{}' FROM jobs;
  INSERT INTO transitions SELECT number, 1, NULL, 'pending', 1, 'ada', 'requested' FROM jobs;
  UPDATE jobs SET state = 'processing', started_at = 2, lease_token = 3
    WHERE id IN ('processing', 'succeeded', 'failed');
  UPDATE jobs SET state = 'cancelled', cancel_requested_at = 2, finished_at = 2 WHERE id = 'cancelled';
  UPDATE jobs SET state = 'failed', finished_at = 3, failure_code = 'internal' WHERE id = 'failed';
  INSERT INTO schedules VALUES ('nightly', 7, NULL, NULL);
  UPDATE jobs SET phase = 'completed', planned = 7, written = 7 WHERE id = 'succeeded';
  UPDATE jobs SET state = 'succeeded', finished_at = 3 WHERE id = 'succeeded';
  UPDATE jobs SET phase = 'processing', chunks_total = 4 WHERE id = 'processing';
  INSERT INTO chunks (job, chunk_index, state, planned, spec)
    SELECT number, value, 'pending', 1, '' FROM jobs, generate_series(0, 3) AS value WHERE jobs.id = 'processing';
  UPDATE chunks SET state = 'leased', lease_owner = 'w', lease_token = 5 WHERE chunk_index > 0;
  UPDATE chunks SET state = 'succeeded', lease_owner = '', result = '{}' WHERE chunk_index = 2;
  UPDATE chunks SET state = 'dead', lease_owner = '', failure_code = 'internal' WHERE chunk_index = 3;
)sql";

TEST(PostgresDatabase, AProcessThatRunsIsRefusedOnceANewerProgramHasMigrated) {
  const TemporaryState state;
  const auto database = Database::Open(state.address()).value();
  const auto act = [](sql::Session&) -> Result<> { return {}; };
  ASSERT_TRUE(database->Read(act));
  const auto connection = Connection::Open(state.address()).value();
  postgres::Must(connection->Execute("UPDATE spillway.schema_version SET version = 900"));
  while (database->Read(act)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  for (const Error& refusal :
       {database->Read(act).error(), database->Write(act).error(),
        database->Run("SELECT 1", {}).error(), database->RunOnceHeard("SELECT 1", {}).error()}) {
    EXPECT_EQ(refusal.code, ErrorCode::kUnsupported);
    EXPECT_THAT(refusal.message, AllOf(HasSubstr("schema 900"), HasSubstr("upgrade")));
  }
}

TEST(PostgresDatabase, TransactionsSeeWhatOthersCommitWhileTheyWait) {
  const TemporaryState state;
  for (const char* level : {"repeatable read", "serializable"}) {
    const auto connection = Connection::Open(state.address()).value();
    ASSERT_TRUE(connection->Execute("ALTER DATABASE " + state.name() +
                                    " SET default_transaction_isolation = '" + level + "'"));
    const auto database = Database::Open(state.address()).value();
    std::vector<std::string> levels;
    const auto look = [&](sql::Session& session) -> Result<> {
      const auto cursor = session.Begin("SHOW transaction_isolation", {});
      EXPECT_TRUE(TRY(cursor->Next()));
      levels.emplace_back(cursor->Text());
      return {};
    };
    EXPECT_TRUE(database->Write(look));
    EXPECT_TRUE(database->Read(look));
    EXPECT_THAT(levels, testing::Each("read committed"));
    EXPECT_TRUE(connection->Execute("ALTER DATABASE " + state.name() +
                                    " RESET default_transaction_isolation"));
  }
}

class PostgresSchemaTest : public testing::Test {
 protected:
  PostgresSchemaTest() {
    EXPECT_TRUE(Database::Open(state_.address()));
    connection_ = Connection::Open(state_.address()).value();
    const Result<> filled = connection_->ExecuteScript(kRows);
    EXPECT_TRUE(filled) << filled.error().message;
  }

  /// Whether a statement is refused; either way it leaves nothing.
  std::string Try(const std::string& sql) {
    EXPECT_TRUE(connection_->Execute("BEGIN"));
    const auto done = connection_->Execute(sql);
    EXPECT_TRUE(connection_->Execute("ROLLBACK"));
    return std::string(done ? "ok" : Name(done.error().code));
  }

  TemporaryState state_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(PostgresSchemaTest, JobsMoveAsTheStateMachineSays) {
  for (const JobState from : kStates) {
    for (const JobState to : kStates) {
      std::string sql =
          "UPDATE jobs SET lease_owner = '', state = '" + std::string(engine::Name(to)) + "'";
      sql += engine::IsFinal(to) ? ", finished_at = 9" : ", finished_at = NULL";
      sql += to == JobState::kPending ? ", started_at = NULL" : ", started_at = 9";
      if (to == JobState::kSucceeded)
        sql += ", phase = 'completed', chunks_total = 0, failure_code = NULL";
      if (to == JobState::kFailed) sql += ", failure_code = 'internal'";
      if (to == JobState::kCancelled) sql += ", cancel_requested_at = 9";
      sql += " WHERE id = '" + std::string(engine::Name(from)) + "'";
      const bool stays = from == to && !engine::IsFinal(from);
      EXPECT_EQ(Try(sql) == "ok", stays || engine::IsLegal(from, to)) << sql;
    }
  }
}

TEST_F(PostgresSchemaTest, RefusesWhatMayNotHappen) {
  for (const std::string sql : {
           "UPDATE jobs SET written = 8 WHERE id = 'succeeded'",
           "UPDATE jobs SET bytes_planned = 8 WHERE id = 'succeeded'",
           "UPDATE jobs SET updated_at = 8 WHERE id = 'cancelled'",
           "UPDATE job_documents SET outcome = 'x' WHERE job = 3",
           "UPDATE jobs SET phase = 'discovering' WHERE id = 'processing'",
           "UPDATE jobs SET lease_token = 2 WHERE id = 'processing'",
           "UPDATE jobs SET tenant = 'another' WHERE id = 'pending'",
           "DELETE FROM jobs WHERE id = 'pending'",
           "DELETE FROM job_documents",
           "UPDATE transitions SET actor = 'nobody'",
           "DELETE FROM transitions",
           "UPDATE chunks SET result = 'x' WHERE chunk_index = 2",
           "UPDATE chunks SET state = 'succeeded' WHERE chunk_index = 0",
           "UPDATE chunks SET lease_token = 4 WHERE chunk_index = 1",
           "DELETE FROM chunks WHERE chunk_index = 2",
           "UPDATE schedules SET settled_until = 7",
           "DELETE FROM schedules",
           "INSERT INTO chunks (job, chunk_index, state, planned, spec, lease_owner) VALUES "
           "(1, 9, 'leased', 0, '', 'w')",
           "INSERT INTO chunks (job, chunk_index, state, planned, spec) VALUES "
           "(99, 0, 'pending', 0, '')",
       }) {
    EXPECT_EQ(Try(sql), "conflict") << sql;
  }
  for (const std::string sql : {
           "UPDATE jobs SET finished_at = 5 WHERE id = 'processing'",
           "UPDATE jobs SET state = 'succeeded', finished_at = 5 WHERE id = 'processing'",
           "UPDATE jobs SET state = 'failed', finished_at = 5 WHERE id = 'processing'",
           "UPDATE jobs SET phase = 'finalizing' WHERE id = 'processing'",
           "UPDATE jobs SET phase = 'completed', chunks_total = 0, planned = 1 "
           "WHERE id = 'processing'",
           "UPDATE jobs SET written = -1 WHERE id = 'processing'",
           "UPDATE jobs SET bytes_planned = -1 WHERE id = 'processing'",
           "INSERT INTO messages (message_group, body, visible_at, turn) VALUES ('', '', 0, 0)",
           "UPDATE jobs SET expiry_begun_at = 9 WHERE id = 'processing'",
           "UPDATE chunks SET lease_owner = '' WHERE chunk_index = 1",
           "UPDATE chunks SET state = 'dead', lease_owner = '' WHERE chunk_index = 1",
           "INSERT INTO transitions VALUES (1, 2, 'pending', 'failed', 1, '', '')",
       }) {
    EXPECT_EQ(Try(sql), "invalid_argument") << sql;
  }
}

/// Of a young table, which the planner knows nothing of, and which nobody has vacuumed.
TEST_F(PostgresSchemaTest, AClaimReadsAndWritesWhatItGivesOut) {
  constexpr int64_t kGiven = 8;  // for which their page has room
  postgres::Must(connection_->ExecuteScript(
      "ALTER TABLE chunks SET (autovacuum_enabled = off);"
      "INSERT INTO chunks (job, chunk_index, state, planned, spec) "
      "SELECT 1, value, 'pending', 1, repeat('s', 200) FROM generate_series(0, 4999) AS value;"));
  const auto counts = [&] {
    const auto rows = postgres::Must(connection_->Execute(
        "SELECT pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_hot_updated(oid), "
        "pg_stat_get_xact_tuples_returned(oid), pg_stat_get_xact_tuples_fetched(oid) "
        "FROM pg_class WHERE oid = 'chunks'::regclass"));
    return std::array{rows.Integer(0, 0), rows.Integer(0, 1), rows.Integer(0, 2),
                      rows.Integer(0, 3)};
  };
  EXPECT_TRUE(connection_->Execute("BEGIN"));
  const auto before = counts();
  const auto claimed = postgres::Must(connection_->Execute(
      "SELECT count(*) FROM claim_chunks(1, -1, 5000, $1::bigint, 'w', 5, 9)", {kGiven}));
  const auto after = counts();
  EXPECT_TRUE(connection_->Execute("ROLLBACK"));
  EXPECT_EQ(claimed.Integer(0, 0), kGiven);
  EXPECT_EQ(after[0] - before[0], kGiven);
  EXPECT_EQ(after[1] - before[1], kGiven) << "a claim writes an index";
  EXPECT_EQ(after[2], before[2]) << "a claim reads the table from one end to the other";
  EXPECT_LE(after[3] - before[3], 3 * kGiven) << "a claim reads more than it gives out";
}

TEST_F(PostgresSchemaTest, AClaimReadsNoChunksThatWait) {
  postgres::Must(connection_->ExecuteScript(
      "ALTER TABLE chunks SET (autovacuum_enabled = off);"
      "INSERT INTO chunks (job, chunk_index, state, planned, spec, not_before) "
      "SELECT 1, value, 'pending', 1, '', CASE value WHEN 4999 THEN 5 ELSE 9 END "
      "FROM generate_series(0, 4999) AS value;"));
  const auto read = [&] {
    return postgres::Must(connection_->Execute("SELECT pg_stat_get_xact_tuples_returned(oid) + "
                                               "pg_stat_get_xact_tuples_fetched(oid) "
                                               "FROM pg_class WHERE oid = 'chunks'::regclass"))
        .Integer(0, 0);
  };
  EXPECT_TRUE(connection_->Execute("BEGIN"));
  const int64_t before = read();
  const auto claimed = postgres::Must(
      connection_->Execute("SELECT count(*) FROM claim_chunks(1, -1, 5000, 8, 'w', 5, 9)"));
  const int64_t after = read();
  EXPECT_TRUE(connection_->Execute("ROLLBACK"));
  EXPECT_EQ(claimed.Integer(0, 0), 1);
  EXPECT_LE(after - before, 3);
}

TEST_F(PostgresSchemaTest, ToReceiveAMessageWritesNoIndex) {
  EXPECT_EQ(postgres::Must(connection_->Execute(
                               "SELECT count(*) FROM pg_indexes WHERE tablename = 'messages' AND "
                               "(indexdef LIKE '%visible_at%' OR indexdef LIKE '%receive_count%')"))
                .Integer(0, 0),
            0);
}

TEST_F(PostgresSchemaTest, ANewerSchemaIsRefusedAndLeftAlone) {
  postgres::Must(connection_->Execute("UPDATE schema_version SET version = 900"));
  const auto opened = Database::Open(state_.address());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(opened.error().message, AllOf(HasSubstr("schema 900"), HasSubstr("upgrade")));
}

TEST(PostgresMigrations, ProcessesMayRace) {
  const TemporaryState state;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      const auto opened = Database::Open(state.address());
      EXPECT_TRUE(opened) << opened.error().message;
    });
  }
  threads.clear();
  EXPECT_TRUE(*Database::HasSchema(state.address()));
}

/// As version 0.1 left it: with a message for each chunk, which workers do not know any more.
TEST(PostgresMigrations, AnOlderSchemaIsBroughtUpToDate) {
  const TemporaryState state;
  const auto raw = Connection::Open(state.address()).value();
  std::string before = "CREATE SCHEMA spillway; SET search_path = spillway, pg_temp;";
  for (const std::string_view migration : Migrations().first(2)) before += migration;
  before +=
      "CREATE TABLE schema_version (version bigint NOT NULL); INSERT INTO schema_version VALUES "
      "(2); INSERT INTO messages (message_group, body, visible_at) VALUES ('', 'chunk 0', 0); "
      "INSERT INTO jobs (id, task_id, run, export_name, recipe, tenant, job_group, requested_by, "
      "state, phase, created_at, updated_at) VALUES ('t-1', 't', 1, '', '', '', '', '', 'pending', "
      "'initializing', 1, 1); INSERT INTO job_documents (job, parameters) VALUES (1, '');";
  postgres::Must(raw->ExecuteScript(before));

  ManualClock clock;
  OpenState open(state.address(), clock);
  EXPECT_EQ(open.store.Get("t-1")->bytes_planned, 0);
  EXPECT_EQ(*open.queue.Depth(), 0);
  ASSERT_TRUE(open.queue.Send(std::vector<Message>{{.body = "new"}}));
  EXPECT_THAT(open.queue.Receive(1, std::chrono::seconds(1))->at(0).handle,
              testing::StartsWith("2."))
      << "a handle of an earlier message would fit it";
}

/// A chunk that somebody was working on when the program was replaced.
TEST(PostgresMigrations, ChunksOfASchemaWithoutProgressGoOn) {
  const TemporaryState state;
  const auto raw = Connection::Open(state.address()).value();
  std::string before = "CREATE SCHEMA spillway; SET search_path = spillway, pg_temp;";
  for (const std::string_view migration : Migrations().first(5)) before += migration;
  before +=
      "CREATE TABLE schema_version (version bigint NOT NULL); INSERT INTO schema_version VALUES "
      "(5); INSERT INTO jobs (id, task_id, run, export_name, recipe, tenant, job_group, "
      "requested_by, state, phase, created_at, updated_at) VALUES ('t-1', 't', 1, '', '', '', '', "
      "'', 'pending', 'initializing', 1, 1); INSERT INTO job_documents (job, parameters) VALUES "
      "(1, ''); INSERT INTO chunks (job, chunk_index, state, planned, spec) VALUES (1, 0, "
      "'pending', 7, ''); UPDATE jobs SET state = 'processing', phase = 'processing', started_at = "
      "1, chunks_total = 1; UPDATE chunks SET state = 'leased', lease_owner = 'before', "
      "lease_token = 1, attempts = 1;";
  postgres::Must(raw->ExecuteScript(before));
  ManualClock clock;
  OpenState open(state.address(), clock);
  const auto claims = open.store.ClaimChunks("t-1", -1, 1, "worker", std::chrono::seconds(30));
  ASSERT_TRUE(claims) << claims.error().message;
  ASSERT_EQ(claims->chunks.size(), 1U);
  EXPECT_EQ(claims->chunks[0].attempts, 2);
  EXPECT_EQ(claims->chunks[0].progress.position, "");
  const Renewal renewal{
      .lease = {.job_id = "t-1", .chunk = 0, .owner = "worker", .token = 2, .expires_at = {}},
      .progress = {.rows = 1, .bytes = 2, .position = "here"}};
  EXPECT_TRUE(open.store.Renew({&renewal, 1}, std::chrono::seconds(30))->at(0));
  EXPECT_EQ(open.store.ListChunks("t-1", std::nullopt, -1, 1)->at(0).progress.position, "here");
}

TEST(PostgresMigrations, AnEmptyDatabaseIsSeenAsSuch) {
  const TemporaryState state;
  EXPECT_FALSE(*Database::HasSchema(state.address()));
  const auto other = Connection::Open(state.address()).value();
  postgres::Must(other->ExecuteScript("CREATE SCHEMA spillway; CREATE TABLE spillway.jobs ();"));
  EXPECT_EQ(Database::Open(state.address()).error().code, ErrorCode::kUnsupported);
}

TEST(PostgresMigrations, AMissingPermissionNamesItsGrant) {
  const TemporaryState state;
  const auto owner = Connection::Open(state.address()).value();
  postgres::Must(owner->ExecuteScript("DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN;"));
  const std::string address = Server().Url(state.name(), "clerk");
  EXPECT_THAT(Database::Open(address).error().message,
              HasSubstr("run GRANT CREATE ON DATABASE " + state.name() + " TO clerk"));
  ASSERT_TRUE(Database::Open(state.address()));
  EXPECT_THAT(Database::Open(address).error().message,
              HasSubstr("run GRANT USAGE ON SCHEMA spillway TO clerk"));
  postgres::Must(
      owner->ExecuteScript("GRANT USAGE ON SCHEMA spillway TO clerk; GRANT SELECT ON "
                           "spillway.schema_version TO clerk;"));
  SystemClock clock;
  OpenState clerk(address, clock);
  EXPECT_THAT(clerk.store.Get("any").error().message,
              HasSubstr("run GRANT SELECT ON TABLE jobs TO clerk"));
  postgres::Must(owner->ExecuteScript(
      "GRANT ALL ON ALL TABLES IN SCHEMA spillway TO clerk; REVOKE INSERT ON spillway.jobs FROM "
      "clerk;"));
  engine::Job job;
  job.id = job.task_id = "task";
  EXPECT_THAT(clerk.store.Create(job, false).error().message,
              HasSubstr("run GRANT INSERT ON TABLE jobs TO clerk"));
  postgres::Must(owner->Execute("GRANT ALL ON spillway.jobs TO clerk"));
  EXPECT_TRUE(clerk.store.Create(job, false));
  postgres::Must(owner->ExecuteScript("DROP OWNED BY clerk; DROP ROLE clerk;"));
}

}  // namespace
}  // namespace spillway::store::postgres_state
