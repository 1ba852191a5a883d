#include "postgres/failure.h"

#include <thread>

#include <gmock/gmock.h>

#include "postgres/server_fixture.h"
#include "postgres/transaction.h"

namespace spillway::postgres {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

using FailureTest = ServerTest;

Error FailureOf(Connection& connection, const std::string& sql) {
  const auto result = connection.Execute(sql);
  return result.has_value() ? Error{} : result.error();
}

TEST(ClassifyRefusal, TheLongestClassDecides) {
  const auto classify = [](std::string_view sqlstate) {
    return ClassifyRefusal(
        {.sqlstate = sqlstate, .message = "so", .server = "PostgreSQL", .user = "u", .sql = {}});
  };
  for (const auto& [sqlstate, code, retryable] :
       std::vector<std::tuple<std::string, ErrorCode, bool>>{
           {"08006", ErrorCode::kUnavailable, true},
           {"57P01", ErrorCode::kUnavailable, true},
           {"57P03", ErrorCode::kUnavailable, true},
           {"53300", ErrorCode::kUnavailable, true},
           {"53100", ErrorCode::kOutOfSpace, false},
           {"40001", ErrorCode::kConflict, true},
           {"40P01", ErrorCode::kConflict, true},
           {"23505", ErrorCode::kAlreadyExists, false},
           {"28P01", ErrorCode::kPermissionDenied, false},
           {"3D000", ErrorCode::kNotFound, false},
           {"22007", ErrorCode::kInvalidArgument, false},
           {"22012", ErrorCode::kCorrupt, false},
           {"2201E", ErrorCode::kCorrupt, false},
           {"XX000", ErrorCode::kInternal, false},
           {"XX001", ErrorCode::kCorrupt, false}}) {
    EXPECT_EQ(classify(sqlstate).code, code) << sqlstate;
    EXPECT_EQ(classify(sqlstate).retryable, retryable) << sqlstate;
    EXPECT_THAT(classify(sqlstate).message, HasSubstr(sqlstate));
  }
}

TEST(ClassifyRefusal, R06WhatAReplicaEndsNamesItsSetting) {
  const Error error =
      ClassifyRefusal({.sqlstate = "40001",
                       .message = "canceling statement due to conflict with recovery",
                       .server = "PostgreSQL",
                       .user = "u",
                       .sql = {}});
  EXPECT_TRUE(error.retryable);
  EXPECT_THAT(error.message, HasSubstr("; a replica ends what keeps it from following"));
  EXPECT_THAT(error.message, HasSubstr("set hot_standby_feedback = on"));
}

TEST_F(FailureTest, AMissingPermissionNamesTheGrant) {
  Must(Open()->ExecuteScript(
      "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; CREATE SCHEMA closed; "
      "CREATE TABLE closed.t (v int); CREATE TABLE t (v int); CREATE TABLE \"Odd name\" (v int); "
      "CREATE SEQUENCE s; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; "
      "REVOKE ALL ON FUNCTION f() FROM public"));
  const auto reader = Open("reader");
  for (const auto& [sql, grant] : std::vector<std::pair<std::string, std::string>>{
           {"SELECT * FROM t", "run GRANT SELECT ON TABLE t TO reader"},
           {"INSERT INTO t VALUES (1)", "run GRANT INSERT ON TABLE t TO reader"},
           {"UPDATE t SET v = 1", "run GRANT SELECT, UPDATE ON TABLE t TO reader"},
           {"SELECT * FROM closed.t", "run GRANT USAGE ON SCHEMA closed TO reader"},
           {"CREATE TABLE public.u (v int)", "run GRANT CREATE ON SCHEMA public TO reader"},
           {"SELECT * FROM \"Odd name\"", "run GRANT SELECT ON TABLE \"Odd name\" TO reader"},
           {"SELECT nextval('s')", "run GRANT USAGE, SELECT ON SEQUENCE s TO reader"},
           {"SELECT f()", "run GRANT EXECUTE ON FUNCTION f TO reader"},
           {"DROP TABLE t", "only the owner of table t may: connect as its owner"}}) {
    const Error error = FailureOf(*reader, sql);
    EXPECT_EQ(error.code, ErrorCode::kPermissionDenied) << sql;
    EXPECT_THAT(error.message, EndsWith(grant)) << sql;
  }
}

TEST_F(FailureTest, AReadOnlyServerIsTold) {
  const auto connection = Open();
  Must(connection->Execute("SET default_transaction_read_only = on"));
  const Error error = FailureOf(*connection, "CREATE TABLE t (v int)");
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("target_session_attrs=read-write"));
}

TEST_F(FailureTest, TextOfAnotherEncodingIsCorrupt) {
  TestServer server({.encoding = "SQL_ASCII"});
  const auto connection = Must(Connection::Open(server.Url()));
  Must(connection->Execute("CREATE TABLE t AS SELECT convert_from('\\xe4', 'SQL_ASCII') AS v"));
  const Error error = FailureOf(*connection, "SELECT v FROM t");
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_THAT(error.message, HasSubstr("invalid byte sequence for encoding \"UTF8\""));
}

TEST_F(FailureTest, ADeadlockIsAConflictToRetry) {
  const auto one = Open();
  const auto other = Open();
  const auto watcher = Open();
  Must(one->ExecuteScript("CREATE TABLE t (v int); INSERT INTO t VALUES (1), (2);"));
  Must(one->Execute("SET deadlock_timeout = '10ms'"));
  const Transaction first = Must(Transaction::Begin(*one));
  const Transaction second = Must(Transaction::Begin(*other));
  Must(one->Execute("UPDATE t SET v = v WHERE v = 1"));
  Must(other->Execute("UPDATE t SET v = v WHERE v = 2"));
  Must(other->Execute("SET LOCAL deadlock_timeout = '1h'"));
  std::stop_source stop;
  std::jthread waiting([&] {
    static_cast<void>(
        other->Execute("UPDATE t SET v = v WHERE v = 1", {}, stop.get_token()).has_value());
  });
  while (Must(watcher->Execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
             .empty())
    std::this_thread::yield();
  const Error error = FailureOf(*one, "UPDATE t SET v = v WHERE v = 2");
  stop.request_stop();
  EXPECT_EQ(one->sqlstate(), "40P01");
  EXPECT_EQ(error.code, ErrorCode::kConflict);
  EXPECT_TRUE(error.retryable);
}

TEST_F(FailureTest, TooManySessionsIsUnavailable) {
  TestServer server({.settings = {"max_connections = 4", "superuser_reserved_connections = 0"}});
  std::vector<std::unique_ptr<Connection>> open;
  while (true) {
    auto next = Connection::Open(server.Url());
    if (next.has_value()) {
      open.push_back(std::move(*next));
      continue;
    }
    EXPECT_EQ(next.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(next.error().message, HasSubstr("53300"));
    break;
  }
  EXPECT_LE(open.size(), 4U);
}

}  // namespace
}  // namespace spillway::postgres
