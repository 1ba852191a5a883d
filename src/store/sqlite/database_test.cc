#include "store/sqlite/database.h"

#include <unistd.h>

#include <fstream>
#include <latch>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "queue/sqlite/sqlite_queue.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/sqlite_store.h"
#include "store/sqlite/temporary_state.h"

namespace spillway::store {
namespace {

using testing::HasSubstr;
using testing::Not;

class DatabaseTest : public testing::Test {
 protected:
  /// One clear line that names the file.
  static void ExpectRefusal(const Result<std::unique_ptr<Database>>& opened, std::string_view code,
                            std::string_view says) {
    ASSERT_FALSE(opened);
    EXPECT_EQ(Name(opened.error().code), code);
    EXPECT_THAT(opened.error().message, HasSubstr(std::string(says)));
    EXPECT_THAT(opened.error().message, Not(HasSubstr("\n")));
  }

  std::unique_ptr<Connection> Raw() {
    return *Connection::Open(state_.path(), Connection::Mode::kReadWrite,
                             std::chrono::milliseconds(20));
  }

  static Result<> Insert(Connection& connection, std::string_view body) {
    TRY(Query(connection,
              "INSERT INTO messages (message_group, body, visible_at) VALUES ('g', ?, 0)", body)
            .Run());
    return {};
  }

  static int64_t CountMessages(Database& database) {
    return *database.Read([](Connection& connection) -> Result<int64_t> {
      Query row(connection, "SELECT count(*) FROM messages");
      TRY(row.Next());
      return row.Integer();
    });
  }

  TemporaryState state_;
};

TEST_F(DatabaseTest, WhatItMakesIsItsOwnersAlone) {
  const auto database = *Database::Open(state_.path());
  ASSERT_TRUE(database->Write(Durability::kDisk,
                              [](Connection& connection) { return Insert(connection, "work"); }));
  for (const std::string suffix : {"", "-wal", "-shm"}) {
    const auto mode = std::filesystem::status(state_.path().string() + suffix).permissions();
    EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
        << suffix;
  }
}

TEST_F(DatabaseTest, OpensAgainWhatItMade) {
  ASSERT_TRUE(Database::Open(state_.path()));
  auto again = Database::Open(state_.path());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(CountMessages(**again), 0);
}

/// A chunk that somebody was working on when the program was replaced.
TEST_F(DatabaseTest, ChunksOfASchemaWithoutProgressGoOn) {
  constexpr size_t kBeforeProgress = 5;
  for (const std::string_view migration : Migrations().first(kBeforeProgress))
    ASSERT_TRUE(Raw()->Execute(std::string(migration)));
  ASSERT_TRUE(Raw()->Execute(fmt::format(
      "PRAGMA application_id = {}; PRAGMA user_version = {}; "
      "INSERT INTO jobs (id, task_id, run, export_name, recipe, tenant, job_group, requested_by, "
      "state, phase, created_at, updated_at) VALUES ('t-1', 't', 1, '', '', '', '', '', 'pending', "
      "'initializing', 1, 1); INSERT INTO job_documents (job, parameters) VALUES (1, ''); "
      "INSERT INTO chunks (job, chunk_index, state, planned, spec) VALUES (1, 0, 'pending', 7, "
      "''); "
      "UPDATE jobs SET state = 'processing', phase = 'processing', started_at = 1, "
      "chunks_total = 1; UPDATE chunks SET state = 'leased', lease_owner = 'before', "
      "lease_token = 1, attempts = 1",
      0x53706c77, kBeforeProgress)));
  auto database = *Database::Open(state_.path());
  ManualClock clock;
  SqliteStore store(*database, clock);
  const auto claims = store.ClaimChunks("t-1", -1, 1, "worker", std::chrono::seconds(30));
  ASSERT_TRUE(claims) << claims.error().message;
  ASSERT_EQ(claims->chunks.size(), 1U);
  EXPECT_EQ(claims->chunks[0].attempts, 2);
  EXPECT_EQ(claims->chunks[0].progress.position, "");
  const Renewal renewal{
      .lease = {.job_id = "t-1", .chunk = 0, .owner = "worker", .token = 2, .expires_at = {}},
      .progress = {.rows = 1, .bytes = 2, .position = "here"}};
  EXPECT_TRUE(store.Renew({&renewal, 1}, std::chrono::seconds(30))->at(0));
  EXPECT_EQ(store.ListChunks("t-1", std::nullopt, -1, 1)->at(0).progress.position, "here");
}

/// As version 0.1 left it: with a message for each chunk, which workers do not know any more.
TEST_F(DatabaseTest, ForgetsMessagesOfASchemaWithoutTurns) {
  constexpr size_t kBeforeTurns = 3;
  for (const std::string_view migration : Migrations().first(kBeforeTurns))
    ASSERT_TRUE(Raw()->Execute(std::string(migration)));
  ASSERT_TRUE(Raw()->Execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                         0x53706c77, kBeforeTurns)));
  ASSERT_TRUE(Insert(*Raw(), "chunk 0"));
  auto database = *Database::Open(state_.path());
  EXPECT_EQ(CountMessages(*database), 0);
  ManualClock clock;
  SqliteQueue queue(*database, clock);
  ASSERT_TRUE(queue.Send(std::vector<Message>{{.body = "new"}}));
  EXPECT_THAT(queue.Receive(1, std::chrono::seconds(1))->at(0).handle, testing::StartsWith("2."))
      << "a handle of an earlier message would fit it";
}

TEST_F(DatabaseTest, RefusesANewerSchema) {
  ASSERT_TRUE(Database::Open(state_.path()));
  ASSERT_TRUE(Raw()->Execute("PRAGMA user_version = 700"));
  ExpectRefusal(
      Database::Open(state_.path()), "unsupported",
      fmt::format(
          "{} has schema 700; this spillway knows up to {}: upgrade spillway or point state: at "
          "another file",
          state_.path().string(), Migrations().size()));
}

TEST_F(DatabaseTest, IsRefusedToAProcessThatRunsOnceANewerProgramHasMigratedIt) {
  const auto database = *Database::Open(state_.path());
  ASSERT_EQ(CountMessages(*database), 0);
  ASSERT_TRUE(Raw()->Execute("PRAGMA user_version = 700"));
  const auto act = [](Connection&) -> Result<> { return {}; };
  for (const Result<>& refused :
       {database->Write(Durability::kProcess, act), database->Read(act)}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(refused.error().message, HasSubstr("has schema 700; this spillway knows up to"));
  }
}

TEST_F(DatabaseTest, ANewerProgramThatMigratesItDuringAReadIsNotSeen) {
  const auto database = *Database::Open(state_.path());
  const auto count = [](Connection& connection) -> Result<int64_t> {
    Query row(connection, "SELECT count(*) FROM messages");
    TRY(row.Next());
    return row.Integer();
  };
  const Result<int64_t> read = database->Read([&](Connection& connection) -> Result<int64_t> {
    TRY(Raw()->Execute("PRAGMA user_version = 700"));
    TRY(Insert(*Raw(), "what this program would misread"));
    return count(connection);
  });
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, 0);
  const Result<int64_t> refused = database->Read(count);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
}

TEST_F(DatabaseTest, IsNotWrittenWhereItIsRemovedWhileTheWriteWaits) {
  const auto database = *Database::Open(state_.path());
  const auto other = Raw();
  ASSERT_TRUE(other->Execute("BEGIN IMMEDIATE"));
  Result<> written;
  std::jthread writer([&] {
    written = database->Write(Durability::kProcess,
                              [](Connection& connection) { return Insert(connection, "body"); });
  });
  // So that it waits. Where it does not yet, it is refused all the same.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::filesystem::rename(state_.path(), state_.path().string() + ".away");
  ASSERT_TRUE(other->Execute("ROLLBACK"));
  writer.join();
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("is no longer the file that was opened"));
}

TEST_F(DatabaseTest, IsNotUsedWhileItIsNotAtItsPath) {
  const auto database = *Database::Open(state_.path());
  const auto act = [](Connection&) -> Result<> { return {}; };
  const std::filesystem::path away = state_.path().string() + ".away";
  const auto expect_refusals = [&] {
    for (const Result<>& refused :
         {database->Write(Durability::kProcess, act), database->Read(act)}) {
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
      EXPECT_TRUE(refused.error().retryable);
      EXPECT_THAT(refused.error().message, HasSubstr("is no longer the file that was opened"));
    }
  };
  std::filesystem::rename(state_.path(), away);
  expect_refusals();
  std::filesystem::rename(away, state_.path());
  EXPECT_EQ(CountMessages(*database), 0);
  std::filesystem::copy_file(state_.path(), away);
  std::filesystem::rename(away, state_.path());
  expect_refusals();
}

TEST_F(DatabaseTest, RefusesAnotherProgramsDatabase) {
  ASSERT_TRUE(Raw()->Execute("CREATE TABLE theirs (a)"));
  ExpectRefusal(Database::Open(state_.path()), "unsupported", "another program's database");
  ASSERT_TRUE(Raw()->Execute("DROP TABLE theirs; PRAGMA application_id = 7"));
  ExpectRefusal(Database::Open(state_.path()), "unsupported", "another program's database");
}

TEST_F(DatabaseTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(state_.path()) << std::string(5000, 'x');
  ExpectRefusal(Database::Open(state_.path()), "corrupt",
                state_.path().string() + ": not a SQLite database");
}

TEST_F(DatabaseTest, RefusesAMissingFolderAndAFolder) {
  ExpectRefusal(Database::Open(state_.folder() / "none" / "state.db"), "not_found",
                "none/state.db: cannot be opened");
  ASSERT_FALSE(Database::Open(state_.folder()));
  EXPECT_THAT(Database::Open(state_.folder()).error().message, HasSubstr(state_.folder().string()));
}

TEST_F(DatabaseTest, RefusesAFileThatCannotBeWritten) {
  constexpr uid_t kNobody = 65534;
  using std::filesystem::perms;
  ASSERT_TRUE(Database::Open(state_.path()));
  std::filesystem::permissions(state_.path(), perms::owner_read | perms::others_read);
  std::filesystem::permissions(state_.folder(),
                               perms::owner_all | perms::others_read | perms::others_exec);
  const bool root = geteuid() == 0;  // May write everything.
  if (root) {
    ASSERT_EQ(seteuid(kNobody), 0);
  }
  const auto opened = Database::Open(state_.path());
  if (root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  ExpectRefusal(opened, "permission_denied", state_.path().string());
}

TEST_F(DatabaseTest, SaysWhenTheFileIsDamaged) {
  {
    auto database = *Database::Open(state_.path());
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(database->Write(Durability::kProcess, [](Connection& connection) {
        return Insert(connection, std::string(900, 'b'));
      }));
    }
  }
  {
    std::fstream file(state_.path(), std::ios::in | std::ios::out | std::ios::binary);
    const auto bytes = static_cast<std::streamoff>(std::filesystem::file_size(state_.path()));
    for (std::streamoff page = 4096 * 4; page < bytes; page += 4096) {
      file.seekp(page);
      file << std::string(4096, '\x5a');
    }
  }
  auto database = Database::Open(state_.path());
  Result<> read = !database ? Result<>(std::unexpected(database.error()))
                            : (*database)->Read([](Connection& connection) -> Result<> {
                                Query rows(connection, "SELECT body FROM messages");
                                TRY(rows.Run());
                                return {};
                              });
  ASSERT_FALSE(read);
  EXPECT_EQ(Name(read.error().code), "corrupt");
  EXPECT_THAT(read.error().message, HasSubstr(state_.path().string() + ": damaged"));
  EXPECT_THAT(read.error().message, HasSubstr("restore it from a backup"));
}

TEST_F(DatabaseTest, WaitsForOthersOnlySoLong) {
  auto database = *Database::Open(state_.path(), std::chrono::milliseconds(20));
  auto other = Raw();
  ASSERT_TRUE(other->Execute("BEGIN IMMEDIATE"));
  const auto insert = [](Connection& connection) { return Insert(connection, "body"); };
  const Result<> refused = database->Write(Durability::kProcess, insert);
  ASSERT_FALSE(refused);
  EXPECT_EQ(Name(refused.error().code), "unavailable");
  EXPECT_TRUE(refused.error().retryable);
  EXPECT_THAT(refused.error().message,
              HasSubstr(state_.path().string() + ": another process has held its lock"));
  EXPECT_EQ(CountMessages(*database), 0) << "readers wait for nobody";
  ASSERT_TRUE(other->Execute("COMMIT"));
  EXPECT_TRUE(database->Write(Durability::kProcess, insert));
}

TEST_F(DatabaseTest, AFullDiskUndoesTheTransactionAndNoMore) {
  auto database = *Database::Open(state_.path());
  const auto fill = [](Connection& connection) -> Result<> {
    TRY(Insert(connection, "small"));
    TRY(Insert(connection, std::string(10'000'000, 'b')));
    return {};
  };
  const auto limit = [&](std::string pages) {
    return database->Write(Durability::kProcess, [&](Connection& connection) -> Result<> {
      return connection.Execute("PRAGMA max_page_count = " + pages);
    });
  };
  ASSERT_TRUE(limit("500"));
  const Result<> refused = database->Write(Durability::kDisk, fill);
  ASSERT_FALSE(refused);
  EXPECT_EQ(Name(refused.error().code), "out_of_space");
  EXPECT_THAT(refused.error().message, HasSubstr(state_.path().string() + ": no space left"));
  EXPECT_EQ(CountMessages(*database), 0);
  ASSERT_TRUE(limit("1000000"));
  EXPECT_TRUE(database->Write(Durability::kDisk, fill));
  EXPECT_EQ(CountMessages(*database), 2);
}

TEST_F(DatabaseTest, AnErrorUndoesItsOwnChangesOnly) {
  auto database = *Database::Open(state_.path());
  constexpr int kActs = 16;
  std::latch first_runs(1);
  std::latch all_wait(kActs);
  std::vector<std::jthread> threads;
  // While this one holds the writer, the others come together after it.
  threads.emplace_back([&] {
    EXPECT_TRUE(database->Write(Durability::kProcess, [&](Connection& connection) {
      first_runs.count_down();
      all_wait.wait();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      return Insert(connection, "first");
    }));
  });
  first_runs.wait();
  for (int i = 0; i < kActs; ++i) {
    threads.emplace_back([&, i] {
      all_wait.count_down();
      const Result<int> answer =
          database->Write(i % 4 == 0 ? Durability::kDisk : Durability::kProcess,
                          [&](Connection& connection) -> Result<int> {
                            TRY(Insert(connection, std::to_string(i)));
                            if (i % 2 == 1) return Fail(ErrorCode::kConflict, std::to_string(i));
                            return i;
                          });
      if (i % 2 == 1) {
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().message, std::to_string(i));
      } else {
        EXPECT_EQ(answer, i);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(CountMessages(*database), 1 + kActs / 2);
}

TEST_F(DatabaseTest, OneThatBreaksTheTransactionFailsItsCompanions) {
  auto database = *Database::Open(state_.path());
  std::latch first_runs(1);
  std::latch all_wait(3);
  std::vector<std::jthread> threads;
  threads.emplace_back([&] {
    EXPECT_TRUE(database->Write(Durability::kProcess, [&](Connection& connection) {
      first_runs.count_down();
      all_wait.wait();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      return connection.Execute("PRAGMA max_page_count = 500");
    }));
  });
  first_runs.wait();
  std::atomic<int> succeeded = 0;
  for (const size_t bytes : {10UL, 10'000'000UL, 10UL}) {
    threads.emplace_back([&, bytes] {
      all_wait.count_down();
      const Result<> written = database->Write(Durability::kProcess, [&](Connection& connection) {
        return Insert(connection, std::string(bytes, 'b'));
      });
      succeeded += written ? 1 : 0;
    });
  }
  threads.clear();
  EXPECT_EQ(CountMessages(*database), succeeded) << "what was told is what is there";
}

TEST_F(DatabaseTest, RacingOpeningsMakeOneSchema) {
  constexpr int kThreads = 8;
  std::latch start(kThreads);
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      const auto opened = Database::Open(state_.path());
      EXPECT_TRUE(opened) << opened.error().message;
    });
  }
  threads.clear();
  EXPECT_TRUE(Database::Open(state_.path()));
}

TEST_F(DatabaseTest, BringsAnOlderSchemaUpToDate) {
  {
    auto raw = Raw();
    ASSERT_TRUE(raw->Execute(std::string(Migrations()[0])));
    ASSERT_TRUE(raw->Execute("PRAGMA user_version = 1; PRAGMA application_id = 1399876727"));
    ASSERT_TRUE(raw->Execute(
        "INSERT INTO jobs (id, task_id, run, export_name, recipe, tenant, job_group, requested_by, "
        "state, phase, created_at, updated_at) VALUES ('t-1', 't', 1, '', '', '', '', '', "
        "'pending', 'initializing', 1, 1); INSERT INTO job_documents (job, parameters) VALUES (1, "
        "'')"));
  }
  auto database = Database::Open(state_.path());
  ASSERT_TRUE(database) << database.error().message;
  ManualClock clock;
  EXPECT_EQ(SqliteStore(**database, clock).Get("t-1")->bytes_planned, 0);
  EXPECT_EQ(CountMessages(**database), 0);
}

TEST_F(DatabaseTest, ABrokenMigrationLeavesNothing) {
  ASSERT_TRUE(Raw()->Execute(
      "PRAGMA application_id = 1399876727; PRAGMA user_version = 0; CREATE TABLE chunks (a)"));
  ASSERT_FALSE(Database::Open(state_.path()));
  auto raw = Raw();
  Query row(*raw, "SELECT count(*) FROM sqlite_schema");
  ASSERT_TRUE(*row.Next());
  EXPECT_EQ(row.Integer(), 1);
}

TEST_F(DatabaseTest, LivesInMemoryForSimulations) {
  auto database = *Database::Open(":memory:");
  ASSERT_TRUE(database->Write(Durability::kDisk,
                              [](Connection& connection) { return Insert(connection, "body"); }));
  EXPECT_EQ(CountMessages(*database), 1);
  EXPECT_FALSE(std::filesystem::exists(":memory:"));
}

}  // namespace
}  // namespace spillway::store
