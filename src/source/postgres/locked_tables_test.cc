#include "source/postgres/locked_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/server_fixture.h"

namespace spillway::postgres_source {
namespace {

using postgres::Must;

constexpr const char* kTables =
    "CREATE TABLE t AS SELECT i AS id, 'old' AS x FROM generate_series(1, 1000) AS i;"
    "CREATE VIEW v AS SELECT * FROM t;"
    "CREATE MATERIALIZED VIEW m AS SELECT * FROM t;"
    "CREATE TABLE p (id int) PARTITION BY RANGE (id);"
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);"
    "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (2000);"
    "INSERT INTO p SELECT generate_series(1, 1999);"
    "CREATE INDEX ON t (id)";

class LockedTables : public postgres::ServerTest {
 protected:
  /// What the check says to a reader whose snapshot is older than the change, and whose lock is
  /// younger.
  Result<> Check(const std::string& select, const std::string& change) {
    Must(Open()->ExecuteScript("DROP SCHEMA public CASCADE; CREATE SCHEMA public"));
    Must(Open()->ExecuteScript(kTables));
    const auto reader = Must(QueryReader::Open({.address = Url()}));
    Must(Open()->ExecuteScript(change));
    Must(reader->Describe(select));
    return CheckNoneRewritten(*reader);
  }
};

TEST_F(LockedTables, R03AreRefused) {
  const std::string reload = "TRUNCATE t; INSERT INTO t VALUES (1, 'new')";
  for (const auto& [select, change] : std::initializer_list<std::pair<std::string, std::string>>{
           {"SELECT * FROM t", reload},
           {"SELECT * FROM v", reload},
           {"SELECT id FROM p UNION SELECT id FROM t", reload},
           {"SELECT * FROM t",
            "DROP VIEW v; DROP MATERIALIZED VIEW m;"
            "ALTER TABLE t ALTER COLUMN id TYPE bigint"},
           {"SELECT * FROM t",
            "CREATE TABLE n AS SELECT * FROM t; DROP TABLE t CASCADE;"
            "ALTER TABLE n RENAME TO t"},
           {"SELECT * FROM p", "TRUNCATE p2; INSERT INTO p VALUES (1500)"},
           {"SELECT * FROM m", "REFRESH MATERIALIZED VIEW m"}}) {
    const Result<> checked = Check(select, change);
    ASSERT_FALSE(checked.has_value()) << change;
    EXPECT_EQ(checked.error().code, ErrorCode::kConflict);
    EXPECT_TRUE(checked.error().retryable);
    EXPECT_THAT(checked.error().message, testing::HasSubstr("try again"));
  }
}

TEST_F(LockedTables, R03WhatKeepsItsRowsIsRead) {
  for (const std::string change :
       {"INSERT INTO t VALUES (1, 'new')", "DELETE FROM t", "VACUUM t",
        "ALTER TABLE t ADD COLUMN more text DEFAULT 'x'", "ANALYZE t", "TRUNCATE p",
        "REINDEX TABLE t", "CREATE TABLE other AS SELECT 1 AS a"}) {
    const Result<> checked = Check("SELECT * FROM t", change);
    EXPECT_TRUE(checked.has_value()) << change << ": " << checked.error().message;
  }
}

TEST_F(LockedTables, R03AnotherSnapshotSeesThem) {
  Must(Open()->ExecuteScript(kTables));
  Must(Open()->ExecuteScript("TRUNCATE t; INSERT INTO t VALUES (1, 'new')"));
  const auto reader = Must(QueryReader::Open({.address = Url()}));
  Must(reader->Describe("SELECT * FROM t"));
  EXPECT_TRUE(CheckNoneRewritten(*reader).has_value());
}

}  // namespace
}  // namespace spillway::postgres_source
