#include "source/postgres/locked_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/server_fixture.h"
#include "source/postgres/dependences.h"

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
    "CREATE INDEX ON t (id);"
    "CREATE SCHEMA live; CREATE TABLE live.t AS SELECT 1 AS id; CREATE SCHEMA next;"
    "CREATE TABLE next.t AS SELECT 2 AS id; CREATE VIEW live.v AS SELECT * FROM live.t;"
    "CREATE VIEW next.v AS SELECT * FROM next.t; CREATE SCHEMA old; CREATE TABLE old.t (id int);"
    "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE other AS ENUM ('a')";

constexpr const char* kSwap = "ALTER SCHEMA live RENAME TO gone; ALTER SCHEMA next RENAME TO live";

class LockedTables : public postgres::ServerTest {
 protected:
  /// What the check says to a reader whose snapshot is older than the change, and whose lock is
  /// younger.
  Result<> Check(const std::string& select, const std::string& change) {
    Must(
        Open()->ExecuteScript("DROP SCHEMA IF EXISTS public, live, next, old, gone CASCADE;"
                              "CREATE SCHEMA public"));
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
           {"SELECT * FROM m", "REFRESH MATERIALIZED VIEW m"},
           {"SELECT * FROM live.t", kSwap},
           {"SELECT * FROM live.t, old.t AS o", kSwap},
           {"SELECT * FROM live.v", kSwap},
           {"SELECT * FROM t",
            "ALTER TABLE t RENAME TO gone; ALTER TABLE live.t RENAME TO u;"
            "ALTER TABLE live.u SET SCHEMA public; ALTER TABLE u RENAME TO t"},
           {"SELECT * FROM t", "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'"},
           {"SELECT 'glad'::mood", "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'"}}) {
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
        "REINDEX TABLE t", "CREATE TABLE another AS SELECT 1 AS a", "CREATE INDEX ON t (x)",
        "ALTER SCHEMA next RENAME TO live2; ALTER TABLE old.t RENAME TO u",
        "ALTER TYPE mood ADD VALUE 'calm' BEFORE 'sad'", "DROP TYPE other",
        "BEGIN; ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; ROLLBACK",
        "ALTER TYPE mood RENAME TO humour"}) {
    const Result<> checked = Check("SELECT * FROM t", change);
    EXPECT_TRUE(checked.has_value()) << change << ": " << checked.error().message;
  }
}

TEST_F(LockedTables, H4WhatIsReadIsWhatWasPlanned) {
  Must(Open()->ExecuteScript(kTables));
  Must(Open()->ExecuteScript(
      "CREATE ROLE teller LOGIN; CREATE SCHEMA teller; CREATE TABLE teller.t AS SELECT 'other' AS "
      "x;"
      "GRANT SELECT ON ALL TABLES IN SCHEMA public, live, next, teller TO teller;"
      "GRANT USAGE ON SCHEMA live, next TO teller"));
  const auto holder = Must(QueryReader::Open({.address = Url("teller")}));
  ReadOptions reading{.address = Url("teller"), .snapshot = Must(holder->ExportSnapshot())};
  const std::string shadowed = "SELECT x FROM t WHERE EXISTS (SELECT FROM live.v)";
  const std::string swapped = "SELECT id FROM live.t";
  const auto tables = [&](const std::string& select) {
    Must(holder->Describe(select));
    Must(CheckNoneRewritten(*holder));
    const auto named = Must(FindDependences(*holder, select, false)).tables;
    EXPECT_EQ(named.size(), select == swapped ? 1U : 2U);
    return Must(LockedNamesakes(*holder, named));
  };
  const auto check = [&](QueryReader& reader, const std::string& select,
                         const std::vector<int64_t>& planned) {
    Must(reader.Describe(select));
    const Result<> checked = CheckReadAsPlanned(reader, planned);
    if (checked.has_value()) return std::string();
    EXPECT_EQ(checked.error().code, ErrorCode::kConflict);
    EXPECT_FALSE(checked.error().retryable);
    EXPECT_THAT(checked.error().message, testing::HasSubstr("run the export again"));
    return checked.error().message;
  };
  const std::vector<int64_t> in_live = tables(swapped), in_public = tables(shadowed);
  EXPECT_EQ(in_live.size(), 1U);
  EXPECT_EQ(in_public.size(), 3U) << "live.t, of the view, has the name of public.t";
  const auto used = Must(QueryReader::Open(reading));
  EXPECT_EQ(check(*used, shadowed, in_public), "");
  // A schema that the role could not see before is the first of its search_path.
  Must(Open()->ExecuteScript("GRANT USAGE ON SCHEMA teller TO teller"));
  for (const bool fresh : {true, false}) {
    const auto opened = fresh ? Must(QueryReader::Open(reading)) : nullptr;
    EXPECT_THAT(check(fresh ? *opened : *used, shadowed, in_public),
                testing::HasSubstr("is another table"));
  }
  const auto other = Must(QueryReader::Open(reading));
  EXPECT_EQ(check(*other, swapped, in_live), "");
  Must(Open()->ExecuteScript(kSwap));
  EXPECT_THAT(check(*other, swapped, in_live), testing::HasSubstr("\"live.t\""));
  const auto fresh = Must(QueryReader::Open(reading));
  EXPECT_THAT(check(*fresh, swapped, in_live), testing::HasSubstr("\"live.t\""));
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
