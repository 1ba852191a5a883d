// Illegal SQL, said to the tables directly: the database itself refuses it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "job/state_machine.h"
#include "store/sqlite/sqlite_store.h"
#include "store/sqlite/temporary_state.h"

namespace spillway::store {
namespace {

using engine::JobState;

constexpr std::array kStates = {JobState::kPending, JobState::kProcessing, JobState::kSucceeded,
                                JobState::kFailed, JobState::kCancelled};

/// A legal row in each state, and two failed jobs in expiry; the chunks of the one in processing
/// are 0 pending, 1 leased, 2 succeeded, 3 dead.
constexpr std::string_view kRows = R"sql(
  INSERT INTO jobs (id, task_id, run, export_name, recipe, tenant, job_group, requested_by, state, phase, created_at,
    updated_at)
  SELECT value, value, 1, 'e', 'r', 't', 'g', 'ada', 'pending', 'initializing', 1, 1
  FROM json_each('["pending", "processing", "succeeded", "failed", "cancelled", "expiring", "expired"]');
  INSERT INTO job_documents (job, parameters) SELECT number, '{}' FROM jobs;
  INSERT INTO transitions SELECT number, 1, NULL, 'pending', 1, 'ada', 'requested' FROM jobs;
  UPDATE jobs SET state = 'processing', started_at = 2, lease_token = 3
    WHERE id IN ('processing', 'succeeded', 'failed', 'expiring', 'expired');
  UPDATE jobs SET state = 'cancelled', cancel_requested_at = 2, finished_at = 2 WHERE id = 'cancelled';
  UPDATE jobs SET state = 'failed', finished_at = 3, failure_code = 'internal'
    WHERE id IN ('failed', 'expiring', 'expired');
  UPDATE jobs SET expiry_begun_at = 4, expiry_objects = 2, expiry_bytes = 20 WHERE id IN ('expiring', 'expired');
  UPDATE jobs SET expiry_ended_at = 5 WHERE id = 'expired';
  INSERT INTO schedules VALUES ('nightly', 7, NULL, NULL);
  UPDATE jobs SET phase = 'completed', planned = 7, written = 7 WHERE id = 'succeeded';
  UPDATE jobs SET state = 'succeeded', finished_at = 3 WHERE id = 'succeeded';
  UPDATE jobs SET phase = 'processing', chunks_total = 4 WHERE id = 'processing';
  INSERT INTO chunks (job, chunk_index, state, planned, spec)
    SELECT number, value, 'pending', 1, '' FROM jobs, json_each('[0, 1, 2, 3]') WHERE jobs.id = 'processing';
  UPDATE chunks SET state = 'leased', lease_owner = 'w', lease_token = 5 WHERE chunk_index > 0;
  UPDATE chunks SET state = 'succeeded', lease_owner = '', result = '{}' WHERE chunk_index = 2;
  UPDATE chunks SET state = 'dead', lease_owner = '', failure_code = 'internal' WHERE chunk_index = 3;
)sql";

class SchemaTest : public testing::Test {
 protected:
  SchemaTest() {
    EXPECT_TRUE(Database::Open(state_.path()));
    connection_ = *Connection::Open(state_.path(), Connection::Mode::kReadWrite,
                                    std::chrono::milliseconds(20));
    const Result<> filled = connection_->Execute(std::string(kRows));
    EXPECT_TRUE(filled) << filled.error().message;
  }

  /// The code a statement is refused with, "ok" where it is not; either way it leaves nothing.
  std::string Try(const std::string& sql) {
    EXPECT_TRUE(connection_->Execute("SAVEPOINT attempt"));
    const Result<> done = connection_->Execute(sql);
    EXPECT_TRUE(connection_->Execute("ROLLBACK TO attempt; RELEASE attempt"));
    return std::string(done ? "ok" : Name(done.error().code));
  }

  TemporaryState state_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(SchemaTest, JobsMoveAsTheStateMachineSays) {
  for (const JobState from : kStates) {
    for (const JobState to : kStates) {
      const bool final = engine::IsFinal(to);
      std::string sql =
          "UPDATE jobs SET lease_owner = '', state = '" + std::string(engine::Name(to)) + "'";
      sql += final ? ", finished_at = 9" : ", finished_at = NULL";
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

TEST_F(SchemaTest, RefusesWhatMayNotHappen) {
  const std::vector<std::pair<std::string, std::string>> refusals = {
      {"UPDATE jobs SET written = 8 WHERE id = 'succeeded'", "conflict"},
      {"UPDATE jobs SET updated_at = 8 WHERE id = 'cancelled'", "conflict"},
      {"UPDATE jobs SET written = 8 WHERE id = 'failed'", "conflict"},
      {"UPDATE jobs SET bytes_planned = 8 WHERE id = 'succeeded'", "conflict"},
      {"UPDATE job_documents SET outcome = 'x' WHERE job = 3", "conflict"},
      {"UPDATE jobs SET phase = 'initializing' WHERE id = 'processing'", "conflict"},
      {"UPDATE jobs SET phase = 'discovering' WHERE id = 'processing'", "conflict"},
      {"UPDATE jobs SET lease_token = 2 WHERE id = 'processing'", "conflict"},
      {"UPDATE jobs SET id = 'another' WHERE id = 'pending'", "conflict"},
      {"UPDATE jobs SET tenant = 'another' WHERE id = 'pending'", "conflict"},
      {"DELETE FROM jobs WHERE id = 'pending'", "conflict"},
      {"DELETE FROM job_documents", "conflict"},
      {"UPDATE transitions SET actor = 'nobody'", "conflict"},
      {"DELETE FROM transitions", "conflict"},
      {"UPDATE chunks SET state = 'pending', result = '' WHERE chunk_index = 2", "conflict"},
      {"UPDATE chunks SET result = 'x' WHERE chunk_index = 2", "conflict"},
      {"UPDATE chunks SET state = 'succeeded' WHERE chunk_index = 0", "conflict"},
      {"UPDATE chunks SET state = 'dead', failure_code = 'x' WHERE chunk_index = 0", "conflict"},
      {"UPDATE chunks SET state = 'succeeded' WHERE chunk_index = 3", "conflict"},
      {"UPDATE chunks SET lease_token = 4 WHERE chunk_index = 1", "conflict"},
      {"DELETE FROM chunks WHERE chunk_index = 2", "conflict"},
      {"INSERT INTO chunks (job, chunk_index, state, planned, spec, lease_owner) VALUES (1, 9, "
       "'leased', 0, '', 'w')",
       "conflict"},

      {"UPDATE jobs SET finished_at = 5 WHERE id = 'processing'", "invalid_argument"},
      {"UPDATE jobs SET state = 'failed', failure_code = 'x' WHERE id = 'processing'",
       "invalid_argument"},
      {"UPDATE jobs SET state = 'failed', finished_at = 5 WHERE id = 'processing'",
       "invalid_argument"},
      {"UPDATE jobs SET state = 'cancelled', finished_at = 5 WHERE id = 'processing'",
       "invalid_argument"},
      {"UPDATE jobs SET state = 'failed', finished_at = 5, failure_code = 'x', "
       "cancel_requested_at = 5 WHERE id = 'processing'",
       "invalid_argument"},
      {"UPDATE jobs SET state = 'succeeded', finished_at = 5 WHERE id = 'processing'",
       "invalid_argument"},
      {"UPDATE jobs SET state = 'processing' WHERE id = 'pending'", "invalid_argument"},
      {"UPDATE jobs SET lease_owner = 'w' WHERE id = 'pending'", "invalid_argument"},
      {"UPDATE jobs SET phase = 'finalizing' WHERE id = 'processing'", "invalid_argument"},
      {"UPDATE jobs SET phase = 'completed', chunks_total = 0, planned = 1 WHERE id = 'processing'",
       "invalid_argument"},
      {"UPDATE jobs SET phase = 'completed', chunks_total = 0, cancel_requested_at = 5 WHERE id = "
       "'processing'",
       "invalid_argument"},
      {"UPDATE jobs SET chunks_succeeded = 3, chunks_dead = 2 WHERE id = 'processing'",
       "invalid_argument"},
      {"UPDATE jobs SET written = -1 WHERE id = 'processing'", "invalid_argument"},
      {"UPDATE jobs SET bytes_planned = -1 WHERE id = 'processing'", "invalid_argument"},
      {"INSERT INTO messages (message_group, body, visible_at, turn) VALUES ('g', '', 0, 0)",
       "invalid_argument"},
      {"UPDATE jobs SET phase = 'resting' WHERE id = 'processing'", "conflict"},
      {"UPDATE jobs SET state = 'resting' WHERE id = 'pending'", "conflict"},
      {"UPDATE jobs SET attempts = 'many' WHERE id = 'processing'", "invalid_argument"},
      {"UPDATE chunks SET lease_owner = '' WHERE chunk_index = 1", "invalid_argument"},
      {"UPDATE chunks SET lease_owner = 'w' WHERE chunk_index = 0", "invalid_argument"},
      {"UPDATE chunks SET state = 'dead', lease_owner = '' WHERE chunk_index = 1",
       "invalid_argument"},
      {"UPDATE chunks SET result = 'x' WHERE chunk_index = 1", "invalid_argument"},
      {"UPDATE chunks SET planned = -1 WHERE chunk_index = 1", "invalid_argument"},
      {"INSERT INTO chunks (job, chunk_index, state, planned, spec) VALUES (2, 0, 'pending', 0, "
       "'')",
       "invalid_argument"},
      {"INSERT INTO chunks (job, chunk_index, state, planned, spec) VALUES (99, 0, 'pending', 0, "
       "'')",
       "invalid_argument"},
      {"INSERT INTO transitions VALUES (1, 2, 'succeeded', 'pending', 1, '', '')",
       "invalid_argument"},
      {"INSERT INTO transitions VALUES (1, 2, NULL, 'pending', 1, '', '')", "invalid_argument"},
      {"INSERT INTO transitions VALUES (1, 2, 'pending', 'failed', 1, '', '')", "invalid_argument"},
      {"INSERT INTO jobs SELECT 99, 'x', 'pending', 1, export_name, recipe, tenant, job_group, "
       "requested_by, state, phase, "
       "created_at, updated_at, started_at, finished_at, cancel_requested_at, '', '', 0, 0, 0, 0, "
       "0, 0, 0, 0, 0, NULL, '', "
       "0, NULL, '', 0, 0, NULL, 0, 0, NULL, 0 FROM jobs WHERE id = 'pending'",
       "invalid_argument"},
      {"INSERT INTO jobs SELECT 99, 'x', 'x', 1, export_name, recipe, tenant, job_group, "
       "requested_by, state, phase, "
       "created_at, updated_at, started_at, finished_at, cancel_requested_at, '', '', 0, 0, 0, 0, "
       "0, 0, 0, 0, 0, NULL, '', "
       "0, NULL, '', 0, 0, NULL, 0, 0, NULL, 0 FROM jobs WHERE id = 'processing'",
       "conflict"},

      {"INSERT INTO schedules VALUES ('weekly', 1, 1, NULL)", "invalid_argument"},
      {"UPDATE schedules SET settled_until = 7", "conflict"},
      {"UPDATE schedules SET settled_until = 6", "conflict"},
      {"DELETE FROM schedules", "conflict"},
      {"UPDATE jobs SET expiry_begun_at = 9 WHERE id = 'processing'", "invalid_argument"},
      {"UPDATE jobs SET expiry_ended_at = 9 WHERE id = 'succeeded'", "invalid_argument"},
      {"UPDATE jobs SET expiry_begun_at = 9, expiry_objects = -1 WHERE id = 'failed'",
       "invalid_argument"},
      {"UPDATE jobs SET expiry_begun_at = 9, written = 8 WHERE id = 'succeeded'", "conflict"},
      {"UPDATE jobs SET expiry_begun_at = NULL WHERE id = 'expiring'", "conflict"},
      {"UPDATE jobs SET expiry_bytes = 9 WHERE id = 'expiring'", "conflict"},
      {"UPDATE jobs SET expiry_begun_at = 9 WHERE id = 'expired'", "conflict"},
      {"UPDATE jobs SET state = 'pending', phase = 'initializing', finished_at = NULL, "
       "started_at = NULL, failure_code = NULL WHERE id = 'expiring'",
       "invalid_argument"},
  };
  for (const auto& [sql, code] : refusals) EXPECT_EQ(Try(sql), code) << sql;
}

TEST_F(SchemaTest, AllowsWhatMay) {
  for (const std::string sql : {
           "UPDATE jobs SET written = 1, updated_at = 9 WHERE id = 'processing'",
           "UPDATE jobs SET bytes_planned = 9 WHERE id = 'processing'",
           "UPDATE jobs SET phase = 'finalizing', chunks_total = 0 WHERE id = 'processing'",
           "UPDATE jobs SET lease_owner = 'w', lease_token = 4 WHERE id = 'processing'",
           "UPDATE jobs SET state = 'pending', phase = 'initializing', finished_at = NULL, "
           "started_at = NULL, "
           "failure_code = NULL WHERE id = 'failed'",
           "UPDATE jobs SET expiry_begun_at = 9, expiry_objects = 1 WHERE id = 'succeeded'",
           "UPDATE jobs SET expiry_begun_at = 9 WHERE id = 'expiring'",
           "UPDATE jobs SET expiry_ended_at = 9 WHERE id = 'expiring'",
           "UPDATE schedules SET settled_until = 8",
           "UPDATE job_documents SET plan = 'x' WHERE job = 2",
           "UPDATE chunks SET state = 'leased', lease_owner = 'w', lease_token = 1 WHERE "
           "chunk_index = 0",
           "UPDATE chunks SET lease_owner = 'v', lease_token = 6 WHERE chunk_index = 1",
           "UPDATE chunks SET state = 'pending', lease_owner = '' WHERE chunk_index = 1",
           "UPDATE chunks SET state = 'pending', attempts = 0 WHERE chunk_index = 3",
           "UPDATE chunks SET state = 'dead', result = '', failure_code = 'x' WHERE "
           "chunk_index = 2",
           "DELETE FROM chunks WHERE chunk_index = 3",
           "INSERT INTO transitions VALUES (1, 2, 'pending', 'processing', 1, '', '')",
       }) {
    EXPECT_EQ(Try(sql), "ok") << sql;
  }
}

}  // namespace
}  // namespace spillway::store
