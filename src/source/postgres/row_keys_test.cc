#include "source/postgres/row_keys.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "postgres/server_fixture.h"
#include "source/postgres/read_table.h"

namespace spillway::postgres_source {
namespace {

using postgres::Must;
using Names = std::vector<std::string>;

class RowKeysTest : public postgres::ServerTest {
 protected:
  void Run(const std::string& script) const { Must(Open()->ExecuteScript(script)); }
  std::unique_ptr<QueryReader> Reader(const std::string& user = postgres::TestServer::kUser) const {
    return Must(QueryReader::Open({.address = Url(user)}));
  }
  Names KeyOfTable(const std::string& table, const std::string& user = "postgres") const {
    const auto reader = Reader();
    const Selection selection = Must(Resolve(*reader, {.table = table}));
    return Must(KeyOf(*Reader(user), *selection.table));
  }

  /// The sum as it is read, which has to be what the server sums.
  static std::string Sum(QueryReader& reader, const Selection& selection, const Names& key) {
    const std::string hash = Must(KeyHash(reader, selection, key));
    Selection hashed{.from = selection.from, .list = hash, .columns = {KeyHashColumn()}};
    KeySum sum;
    Must(reader.Read(hashed.Select(), hashed.columns,
                     [&](const arrow::RecordBatch& batch) { return sum.Add(*batch.column(0)); }));
    const auto server =
        Must(reader.Execute("SELECT sum(" + hash + ")::text FROM " + selection.from));
    EXPECT_EQ(sum.ToString(), server.Text(0, 0));
    return sum.ToString();
  }
};

TEST_F(RowKeysTest, F01AKeyIsFoundWhereThereIsOne) {
  Run("CREATE ROLE key_reader LOGIN; CREATE TABLE a (id int PRIMARY KEY, u uuid UNIQUE);"
      "CREATE TABLE b (x int, y text NOT NULL, z int NOT NULL, UNIQUE (x, y), UNIQUE (z, y));"
      "CREATE TABLE c (x int NOT NULL); CREATE UNIQUE INDEX ON c (x) WHERE x > 3;"
      "CREATE UNIQUE INDEX ON c ((x + 1)); CREATE TABLE d (x int, y int, PRIMARY KEY (y, x));"
      "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE VIEW v AS SELECT * FROM "
      "a;"
      "CREATE TABLE i (id int NOT NULL, n int); CREATE UNIQUE INDEX ON i (id) INCLUDE (n);"
      "GRANT SELECT (u) ON a TO key_reader");
  EXPECT_EQ(KeyOfTable("a"), Names{"id"});
  EXPECT_EQ(KeyOfTable("b"), (Names{"z", "y"}));
  EXPECT_EQ(KeyOfTable("c"), Names{});
  EXPECT_EQ(KeyOfTable("d"), (Names{"y", "x"}));
  EXPECT_EQ(KeyOfTable("p"), Names{"id"});
  EXPECT_EQ(KeyOfTable("v"), Names{});
  EXPECT_EQ(KeyOfTable("i"), Names{"id"});
  EXPECT_EQ(KeyOfTable("a", "key_reader"), Names{});
}

TEST_F(RowKeysTest, F01MissingAndDoubledKeysAreSeen) {
  Run("CREATE TABLE t AS SELECT i::int AS i, -i::int8 AS b, i::text AS s, md5(i::text)::uuid AS u,"
      " i::numeric / 8 AS n, CASE WHEN i % 7 > 0 THEN i END AS x FROM generate_series(1, 1000) AS "
      "i;"
      "CREATE TABLE d AS SELECT * FROM t WHERE i <> 17 UNION ALL SELECT * FROM t WHERE i = 18");
  const auto reader = Reader();
  const Selection whole = Must(Resolve(*reader, {.table = "t"}));
  const Selection doubled = Must(Resolve(*reader, {.table = "d"}));
  const Selection turned =
      Must(Resolve(*reader, {.query = "SELECT * FROM t ORDER BY md5(i::text)"}));
  for (const Names& key : {Names{"i"}, Names{"b"}, Names{"s"}, Names{"u"}, Names{"n"},
                           Names{"x", "i"}, Names{"i", "x"}}) {
    EXPECT_EQ(Sum(*reader, turned, key), Sum(*reader, whole, key)) << key[0];
    EXPECT_NE(Sum(*reader, doubled, key), Sum(*reader, whole, key)) << key[0];
  }
  EXPECT_NE(Sum(*reader, whole, {"i", "x"}), Sum(*reader, whole, {"x", "i"}));
  const auto unknown = KeyHash(*reader, whole, Names{"j"});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().message, "key: there is no one column \"j\"; did you mean \"i\"?");
}

}  // namespace
}  // namespace spillway::postgres_source
