#include <algorithm>
#include <string>
#include <thread>

#include <gmock/gmock.h>

#include "postgres/server_fixture.h"

namespace spillway::postgres {
namespace {

using testing::HasSubstr;

using CopyTest = ServerTest;
using Bytes = std::span<const std::byte>;

Bytes BytesOf(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

TEST_F(CopyTest, RowsComeOneAMessage) {
  const auto connection = Open();
  std::vector<std::string> rows;
  const int64_t count = Must(connection->CopyOut(
      "COPY (SELECT v, 'a' FROM generate_series(1, 3) v) TO STDOUT", [&](Bytes row) -> Result<> {
        rows.emplace_back(reinterpret_cast<const char*>(row.data()), row.size());
        return {};
      }));
  EXPECT_EQ(count, 3);
  EXPECT_THAT(rows, testing::ElementsAre("1\ta\n", "2\ta\n", "3\ta\n"));
  EXPECT_TRUE(connection->usable());
}

TEST_F(CopyTest, AStopEndsAReadThatWouldGoOn) {
  const auto connection = Open();
  std::stop_source stop;
  int rows = 0;
  const auto copied = connection->CopyOut(
      "COPY (SELECT generate_series(1, 1000000000), repeat('x', 1000)) TO STDOUT",
      [&](Bytes) -> Result<> {
        if (++rows == 1000) stop.request_stop();
        return {};
      },
      stop.get_token());
  EXPECT_EQ(copied.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(rows, 1000);
  EXPECT_EQ(Must(connection->Execute("SELECT 1")).Integer(0, 0), 1);
}

TEST_F(CopyTest, AStopEndsAReadThatHasNothingYet) {
  const auto connection = Open();
  std::stop_source stop;
  std::jthread stopper([&, watcher = Open()] {
    while (Must(watcher->Execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
               .empty())
      std::this_thread::yield();
    stop.request_stop();
  });
  const auto copied = connection->CopyOut(
      "COPY (SELECT pg_sleep(600)) TO STDOUT", [](Bytes) -> Result<> { return {}; },
      stop.get_token());
  EXPECT_EQ(copied.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(connection->usable());
}

TEST_F(CopyTest, AnErrorOfTheSinkIsReturned) {
  const auto connection = Open();
  const auto copied = connection->CopyOut(
      "COPY (SELECT generate_series(1, 1000000000)) TO STDOUT",
      [](Bytes) -> Result<> { return Fail(ErrorCode::kOutOfSpace, "disk full"); });
  EXPECT_EQ(copied.error().code, ErrorCode::kOutOfSpace);
  EXPECT_TRUE(connection->usable());
}

TEST_F(CopyTest, AnErrorOfTheServerInMidReadIsReturned) {
  const auto connection = Open();
  int rows = 0;
  const auto copied = connection->CopyOut(
      "COPY (SELECT 1 / (3 - v) FROM generate_series(1, 5) v) TO STDOUT", [&](Bytes) -> Result<> {
        ++rows;
        return {};
      });
  EXPECT_THAT(copied.error().message, HasSubstr("division by zero"));
  EXPECT_EQ(rows, 2);
  EXPECT_TRUE(connection->usable());
  EXPECT_THAT(connection->CopyOut("COPY missing TO STDOUT", nullptr).error().message,
              HasSubstr("42P01"));
  EXPECT_EQ(connection->sqlstate(), "42P01");
  EXPECT_THAT(connection->CopyOut("SELECT 1", nullptr).error().message,
              HasSubstr("not a COPY in the direction"));
  EXPECT_TRUE(connection->usable());
}

TEST_F(CopyTest, LoadsPiecesCutAnywhere) {
  const auto connection = Open();
  Must(connection->Execute("CREATE TABLE t (v bigint, s text)"));
  std::string rows;
  for (int row = 0; row < 200'000; ++row) rows += std::to_string(row) + "\tsome text\n";
  std::string_view rest = rows;
  size_t size = 1;
  const int64_t loaded = Must(connection->CopyIn("COPY t FROM STDIN", [&]() -> Result<Bytes> {
    size = std::min(size * 3, rest.size());
    const Bytes piece = BytesOf(rest.substr(0, size));
    rest.remove_prefix(size);
    return piece;
  }));
  EXPECT_EQ(loaded, 200'000);
  EXPECT_EQ(Must(connection->Execute("SELECT sum(v) FROM t WHERE s = 'some text'")).Integer(0, 0),
            int64_t{199'999} * 200'000 / 2);
}

TEST_F(CopyTest, ALoadThatFailsLeavesNothing) {
  const auto connection = Open();
  Must(connection->Execute("CREATE TABLE t (v bigint)"));
  int pieces = 0;
  const auto torn = connection->CopyIn("COPY t FROM STDIN", [&]() -> Result<Bytes> {
    if (++pieces > 100) return Fail(ErrorCode::kUnavailable, "the source broke");
    return BytesOf("1\n");
  });
  EXPECT_EQ(torn.error().message, "the source broke");
  const auto wrong = connection->CopyIn("COPY t FROM STDIN", [&, first = true]() mutable {
    return Result<Bytes>(std::exchange(first, false) ? BytesOf("1\nx\n") : Bytes());
  });
  EXPECT_EQ(connection->sqlstate(), "22P02");
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Must(connection->Execute("SELECT count(*) FROM t")).Integer(0, 0), 0);
}

/// The trigger runs after the server has asked for data and before it has read any.
TEST_F(CopyTest, ALoadThatIsCancelledBeforeItsFirstRowLeavesTheConnectionInStep) {
  const auto connection = Open();
  Must(
      connection->ExecuteScript("CREATE TABLE t (v bigint); "
                                "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
                                "'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'; "
                                "CREATE TRIGGER slow BEFORE INSERT ON t EXECUTE FUNCTION wait()"));
  const auto torn =
      connection->CopyIn("COPY t FROM STDIN", [&, first = true]() mutable -> Result<Bytes> {
        if (!std::exchange(first, false)) return Fail(ErrorCode::kUnavailable, "the source broke");
        return BytesOf("1\n");
      });
  EXPECT_EQ(torn.error().message, "the source broke");
  ASSERT_TRUE(connection->usable());
  Must(connection->ExecuteScript("DROP TABLE t"));
  EXPECT_TRUE(Must(connection->Execute("SELECT to_regclass('t') IS NULL")).Boolean(0, 0));
}

}  // namespace
}  // namespace spillway::postgres
