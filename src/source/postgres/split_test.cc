#include "source/postgres/split.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

#include "postgres/server_fixture.h"
#include "source/postgres/read_table.h"

namespace spillway::postgres_source {
namespace {

using postgres::Must;

class SplitTest : public postgres::ServerTest {
 protected:
  void Run(const std::string& script) const { Must(Open()->ExecuteScript(script)); }
  std::unique_ptr<QueryReader> Reader() const {
    return Must(QueryReader::Open({.address = Url()}));
  }

  mutable Snapshots snapshots_{[](std::string_view) { return false; }};

  /// Reads every split; each row must come once, and as often as was counted.
  void ExpectEachRowOnce(QueryReader& reader, const Selection& selection,
                         std::vector<Split>& splits) const {
    ReadOptions options{.address = Url(), .snapshot = Must(reader.ExportSnapshot())};
    Must(CountRows(selection, [&] { return snapshots_.Borrow(options, {}); }, 3, splits, {}));
    std::multiset<std::string> whole, parts;
    const auto add = [](const std::string& rows, std::multiset<std::string>& to) {
      for (size_t at = 0; at < rows.size(); at = rows.find('\n', at) + 1)
        to.insert(rows.substr(at, rows.find('\n', at) - at));
    };
    add(RowsAsText(*ReadTable(reader, selection.Select(), selection.columns)), whole);
    for (const Split& split : splits) {
      const auto table = ReadTable(reader, selection.Select(split.condition), selection.columns);
      EXPECT_EQ(table->num_rows(), split.rows) << split.condition;
      add(RowsAsText(*table), parts);
    }
    EXPECT_EQ(parts, whole);
  }
};

TEST_F(SplitTest, PlacesCoverEveryRowOnce) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 6; ++round) {
    const auto rows = std::to_string(random() % 20'000);
    Run("DROP TABLE IF EXISTS t CASCADE");
    if (round % 3 == 0) {
      Run("CREATE TABLE t AS SELECT i, repeat('x', (random() * 200)::int) AS x FROM "
          "generate_series(1, " +
          rows + ") AS i");
    } else if (round % 3 == 1) {
      Run("CREATE TABLE t (i int, x text) PARTITION BY RANGE (i);"
          "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO (1000);"
          "CREATE TABLE t2 PARTITION OF t DEFAULT;"
          "INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, " +
          rows + ") AS i");
    } else {
      Run("CREATE TABLE t (i int, x text); CREATE TABLE t3 () INHERITS (t);"
          "INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 3000) AS i;"
          "INSERT INTO t3 SELECT i, md5(i::text) FROM generate_series(1, " +
          rows + ") AS i");
    }
    Run("DELETE FROM t WHERE i % 3 = 0; UPDATE t SET x = x || 'y' WHERE i % 7 = 0");
    const auto reader = Reader();
    const Selection selection = Must(Resolve(*reader, {.table = "t"}));
    auto splits =
        Must(SplitByPlace(*reader, selection, 8192 * static_cast<int64_t>(1 + random() % 50)));
    ExpectEachRowOnce(*reader, selection, splits);
  }
}

TEST_F(SplitTest, WritersMeanwhileChangeNothing) {
  Run("CREATE TABLE t AS SELECT i, repeat('x', 200) AS x FROM generate_series(1, 5000) AS i");
  const auto reader = Reader();
  const Selection selection = Must(Resolve(*reader, {.table = "t"}));
  auto splits = Must(SplitByPlace(*reader, selection, 65536));
  ASSERT_GT(splits.size(), 5U);
  Run("INSERT INTO t SELECT i, 'new' FROM generate_series(5001, 9000) AS i; DELETE FROM t WHERE i "
      "< 500;"
      "UPDATE t SET x = 'changed' WHERE i BETWEEN 600 AND 2000");
  ExpectEachRowOnce(*reader, selection, splits);
  EXPECT_EQ(
      ReadTable(*reader, selection.Select("x = repeat('x', 200)"), selection.columns)->num_rows(),
      5000);
}

TEST_F(SplitTest, WhatHasNoPlacesIsOne) {
  Run("CREATE TABLE t AS SELECT generate_series(1, 10000) AS i; CREATE VIEW v AS SELECT * FROM t;"
      "CREATE TABLE empty (i int); CREATE MATERIALIZED VIEW m AS SELECT * FROM t");
  const auto of = [&](const Wanted& wanted) {
    const auto reader = Reader();
    const Selection selection = Must(Resolve(*reader, wanted));
    auto splits = Must(SplitByPlace(*reader, selection, 8192));
    ExpectEachRowOnce(*reader, selection, splits);
    return splits.size();
  };
  EXPECT_EQ(of({.table = "v"}), 1U);
  EXPECT_EQ(of({.table = "empty"}), 1U);
  EXPECT_EQ(of({.query = "SELECT * FROM t"}), 1U);
  EXPECT_GT(of({.table = "t"}), 10U);
  EXPECT_GT(of({.table = "m"}), 10U);
}

TEST_F(SplitTest, F04PlacesAreForThoseWhoMayReadTheTable) {
  Run("CREATE TABLE t AS SELECT i, repeat('x', 100) AS x FROM generate_series(1, 10000) AS i;"
      "CREATE ROLE placeless LOGIN; GRANT SELECT (i) ON t TO placeless");
  const ReadOptions options{.address = Url("placeless")};
  const auto reader = Must(QueryReader::Open(options));
  const Selection selection = Must(Resolve(*reader, {.table = "t", .columns = {{"i", "i"}}}));
  auto splits = Must(SplitByPlace(*reader, selection, 8192));
  ASSERT_EQ(splits.size(), 1U);
  Must(CountRows(*reader, selection, splits[0], {}));
  EXPECT_EQ(splits[0].rows, 10000);
  EXPECT_TRUE(SplitByKey(*reader, selection, "i", "", 2).has_value());
  const auto closed = SplitByKey(*reader, selection, "x", "", 2);
  ASSERT_FALSE(closed.has_value());
  EXPECT_EQ(closed.error().code, ErrorCode::kPermissionDenied);
  EXPECT_NE(closed.error().message.find("GRANT SELECT (\"x\") ON public.t TO placeless"),
            std::string::npos)
      << closed.error().message;
}

TEST_F(SplitTest, KeysCoverEveryRowOnce) {
  Run("CREATE TABLE t AS SELECT i, CASE WHEN i % 10 > 0 THEN i % 5000 END AS \"The Key\","
      " CASE WHEN i % 100 > 0 THEN (i % 7)::float8 ELSE 'NaN' END AS f, md5(i::text) AS m,"
      " '2025-01-01'::timestamptz + i * '1 min'::interval AS at, (i % 3 = 0) AS b"
      " FROM generate_series(1, 1000000) AS i; ANALYZE t");
  for (const char* column : {"The Key", "f", "m", "at", "b", "i"}) {
    const auto reader = Reader();
    const Selection selection = Must(Resolve(*reader, {.query = "SELECT * FROM t WHERE i <= :n",
                                                       .parameters = {{"n", "1000000"}},
                                                       .columns = {{"i", "i"}}}));
    auto splits = Must(SplitByKey(*reader, selection, column, "", 5));
    EXPECT_GT(splits.size(), 1U) << column;
    EXPECT_LE(splits.size(), 5U) << column;
    ReadOptions options{.address = Url(), .snapshot = Must(reader->ExportSnapshot())};
    Must(CountRows(selection, [&] { return snapshots_.Borrow(options, {}); }, 2, splits, {}));
    int64_t rows = 0;
    for (const Split& split : splits) rows += split.rows;
    EXPECT_EQ(rows, 1'000'000) << column;
    std::string any;
    for (size_t i = 0; i < splits.size(); ++i) {
      for (size_t k = 0; k < i; ++k)
        any += (any.empty() ? "" : " OR ") + ("(" + splits[i].condition) + ") AND (" +
               splits[k].condition + ")";
    }
    EXPECT_EQ(ReadTable(*reader, selection.Select(any), selection.columns)->num_rows(), 0) << any;
  }
  const auto reader = Reader();
  const Selection selection = Must(Resolve(*reader, {.table = "t"}));
  const auto unknown = SplitByKey(*reader, selection, "The key", "", 5);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().message,
            "split_by: there is no column \"The key\"; did you mean \"The Key\"?");
}

TEST_F(SplitTest, ColumnsWithoutRangesAreRefusedInOneLine) {
  Run("CREATE TYPE pair AS (a int, b text); CREATE DOMAIN twin AS pair;"
      "CREATE TABLE t AS SELECT i, ARRAY[i] AS list, to_json(i) AS doc, point(i, i) AS place,"
      " ROW(i, 'x')::pair AS two, ROW(i, 'x')::twin AS both, ('{' || i || '}')::xid[] AS ids FROM "
      "generate_series(1, 10) AS i;"
      "CREATE VIEW v AS SELECT * FROM t");
  const auto refusal = [&](const Wanted& wanted, const std::string& column) {
    const auto reader = Reader();
    const auto splits = SplitByKey(*reader, Must(Resolve(*reader, wanted)), column, "", 4);
    if (splits.has_value()) return std::string();
    EXPECT_EQ(splits.error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(splits.error().retryable);
    return splits.error().message;
  };
  for (const Wanted& wanted :
       {Wanted{.table = "t"}, Wanted{.table = "v"}, Wanted{.query = "SELECT * FROM t"}}) {
    EXPECT_EQ(refusal(wanted, "list"),
              "split_by: column \"list\" is of type integer[], which cannot be cut into ranges; "
              "name a column of numbers, times or texts, or set split_by: none");
    EXPECT_NE(refusal(wanted, "doc").find("of type json,"), std::string::npos);
    EXPECT_NE(refusal(wanted, "place").find("of type point,"), std::string::npos);
    EXPECT_NE(refusal(wanted, "ids").find("of type xid[],"), std::string::npos);
    for (const char* column : {"two", "both"})
      EXPECT_NE(refusal(wanted, column).find("of type pair, which cannot"), std::string::npos)
          << refusal(wanted, column);
    EXPECT_EQ(refusal(wanted, "i"), "");
  }
  EXPECT_NE(refusal({.query = "SELECT i, ROW(i, 1) AS pair FROM t"}, "pair").find("record"),
            std::string::npos);
  EXPECT_NE(refusal({.query = "SELECT i, 1 AS i FROM t"}, "i").find("more than one column \"i\""),
            std::string::npos);
}

}  // namespace
}  // namespace spillway::postgres_source
