#include "source/postgres/snapshots.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "postgres/server_fixture.h"

namespace spillway::postgres_source {
namespace {

using postgres::Must;

class SnapshotsTest : public postgres::ServerTest {
 protected:
  int64_t Sessions() const {
    return Must(Open()->Execute("SELECT count(*) FROM pg_stat_activity WHERE datname ="
                                " current_database() AND pid <> pg_backend_pid()"))
        .Integer(0, 0);
  }
  /// Waits as long as the test may take.
  void AwaitSessions(int64_t wanted) const {
    while (Sessions() != wanted) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
};

TEST_F(SnapshotsTest, HoldsASnapshotUntilItsJobIsOver) {
  Must(Open()->ExecuteScript("CREATE TABLE t AS SELECT 1 AS a"));
  std::atomic<bool> over = false;
  Snapshots snapshots([&](std::string_view job_id) { return job_id == "job" && over; });
  ReadOptions options{.address = Url()};
  auto holder = Must(QueryReader::Open(options));
  options.snapshot = Must(holder->ExportSnapshot());
  snapshots.Keep("job", options.snapshot, std::move(holder));
  Must(Open()->ExecuteScript("DELETE FROM t"));
  for (int i = 0; i < 3; ++i) {
    const auto reader = Must(snapshots.Borrow(options, {}));
    EXPECT_EQ(Must(reader->Execute("SELECT count(*) FROM t")).Integer(0, 0), 1);
  }
  AwaitSessions(2);  // The holder, and one reader for all three.
  EXPECT_TRUE(snapshots.AreNeeded());
  over = true;
  EXPECT_FALSE(snapshots.AreNeeded());
  AwaitSessions(0);
  const auto gone = snapshots.Borrow(options, {});
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().code, ErrorCode::kConflict);
}

TEST_F(SnapshotsTest, F02TheHolderIsLentToOneAtATime) {
  Snapshots snapshots([](std::string_view) { return false; });
  auto holder = Must(QueryReader::Open({.address = Url()}));
  const ReadOptions reading{.address = Url(), .snapshot = Must(holder->ExportSnapshot())};
  snapshots.Keep("job", reading.snapshot, std::move(holder));
  {
    const auto lent = Must(snapshots.BorrowHolder("job", reading, {}));
    const auto second = snapshots.BorrowHolder("job", reading, {});
    ASSERT_FALSE(second.has_value());
    EXPECT_TRUE(second.error().retryable);
    EXPECT_FALSE(second.error().elsewhere);
  }
  EXPECT_FALSE(Must(snapshots.BorrowHolder("job", reading, {}))->Execute("SELECT 1/0").has_value());
  const auto lost = snapshots.BorrowHolder("job", reading, {});
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, ErrorCode::kConflict);
}

TEST_F(SnapshotsTest, F02AnotherProcessesHolderIsWaitedForUntilItIsGone) {
  Snapshots snapshots([](std::string_view) { return false; });
  auto another = Must(QueryReader::Open({.address = Url()}));
  const ReadOptions reading{.address = Url(), .snapshot = Must(another->ExportSnapshot())};
  const auto elsewhere = snapshots.BorrowHolder("job", reading, {});
  ASSERT_FALSE(elsewhere.has_value());
  EXPECT_TRUE(elsewhere.error().elsewhere);
  another.reset();
  AwaitSessions(0);
  const auto gone = snapshots.BorrowHolder("job", reading, {});
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().code, ErrorCode::kConflict);
  EXPECT_FALSE(gone.error().elsewhere);
}

TEST_F(SnapshotsTest, WhatFailedIsNotLentAgain) {
  Snapshots snapshots([](std::string_view) { return false; });
  const ReadOptions options{.address = Url()};
  {
    const auto reader = Must(snapshots.Borrow(options, {}));
    EXPECT_FALSE(reader->Execute("SELECT 1/0").has_value());
  }
  const auto reader = Must(snapshots.Borrow(options, {}));
  EXPECT_TRUE(reader->Execute("SELECT 1").has_value());
}

}  // namespace
}  // namespace spillway::postgres_source
