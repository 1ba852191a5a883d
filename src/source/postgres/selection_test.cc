#include "source/postgres/selection.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "postgres/server_fixture.h"
#include "source/postgres/read_table.h"

namespace spillway::postgres_source {
namespace {

using postgres::Must;

class SelectionTest : public postgres::ServerTest {
 protected:
  std::unique_ptr<QueryReader> Reader() const {
    return Must(QueryReader::Open({.address = Url()}));
  }
  void Run(const std::string& script) const { Must(Open()->ExecuteScript(script)); }

  /// The rows as one text, columns split by |.
  std::string Read(const Wanted& wanted) const {
    const auto reader = Reader();
    const auto selection = Resolve(*reader, wanted);
    if (!selection.has_value()) return selection.error().message;
    return RowsAsText(*ReadTable(*reader, selection->Select(), selection->columns));
  }
};

TEST_F(SelectionTest, TablesByName) {
  Run("CREATE SCHEMA \"My Schema\"; CREATE TABLE \"My Schema\".\"Orders\" (id int, \"The Name\" "
      "text);"
      "INSERT INTO \"My Schema\".\"Orders\" VALUES (1, 'a'), (2, NULL)");
  EXPECT_EQ(Read({.table = "\"My Schema\".\"Orders\""}), "1|a\n2|null\n");
  EXPECT_EQ(
      Read({.table = "\"My Schema\".\"Orders\"", .columns = {{"The Name", "n"}, {"id", "id"}}}),
      "a|1\nnull|2\n");
  EXPECT_NE(Read({.table = "orders; DROP TABLE x"}).find("invalid name syntax"), std::string::npos);
  EXPECT_NE(Read({.table = "\"My Schema\".Orders"}).find("there is no table"), std::string::npos);
  EXPECT_EQ(Read({.table = "\"My Schema\".\"Orders\"", .columns = {{"The name", "n"}}}),
            "there is no column \"The name\"; did you mean \"The Name\"?");
}

TEST_F(SelectionTest, ParametersHaveTheTypesThatTheServerInfers) {
  Run("CREATE TABLE t (id int8, day date, name text); INSERT INTO t VALUES (1, '2025-01-31', 'a'),"
      " (2, '2025-02-01', 'b')");
  EXPECT_EQ(Read({.query = "SELECT id FROM t WHERE day >= :from AND name = ANY(:names)",
                  .parameters = {{"from", "2025-02-01"}, {"names", "{a,b}"}}}),
            "2\n");
  EXPECT_EQ(Read({.query = "SELECT :n + 1 AS x, :t::text AS y, pg_typeof(:n)::text AS z",
                  .parameters = {{"n", "41"}, {"t", "it's"}}}),
            "42|it's|integer\n");
  EXPECT_EQ(Read({.query = "SELECT id FROM t ORDER BY id LIMIT :n OFFSET :o -- the end",
                  .parameters = {{"n", "1"}, {"o", "1"}}}),
            "2\n");
  EXPECT_EQ(Read({.query = "SELECT id, :gone::text AS g FROM t WHERE name = :a;",
                  .parameters = {{"gone", std::nullopt}, {"a", "a"}}}),
            "1|null\n");
}

TEST_F(SelectionTest, ParametersAreNotCutToATypesShortestLength) {
  Run("CREATE TABLE t (country char(2), flags bit(3), mask varbit, price numeric(9, 2));"
      "INSERT INTO t VALUES ('DE', B'101', B'10', 1.25), ('FR', B'100', B'1', 2)");
  const auto countries = [this](const std::string& condition, const std::string& value) {
    return Read({.query = "SELECT country FROM t WHERE " + condition + " ORDER BY country",
                 .parameters = {{"v", value}}});
  };
  EXPECT_EQ(countries("country = :v", "DE"), "DE\n");
  EXPECT_EQ(countries("country <> :v", "DE"), "FR\n");
  EXPECT_EQ(countries("country = ANY(:v)", "{DE,FR}"), "DE\nFR\n");
  EXPECT_EQ(countries("flags = :v", "101"), "DE\n");
  EXPECT_EQ(countries("flags = ANY(:v)", "{101}"), "DE\n");
  EXPECT_EQ(countries("mask = :v", "10"), "DE\n");
  EXPECT_EQ(countries("price = :v", "1.25"), "DE\n");
}

TEST_F(SelectionTest, ValuesStayValues) {
  Run("CREATE TABLE t (name text); CREATE TABLE secret AS SELECT 'secret' AS s");
  const std::vector<std::string> attempts = {"'",
                                             "''",
                                             "\\",
                                             "\\'",
                                             "' OR true --",
                                             "'; DROP TABLE t; --",
                                             "x') UNION SELECT s FROM secret --",
                                             "') TO PROGRAM 'true' --",
                                             "$$",
                                             "$1",
                                             ":name",
                                             "E'\\''",
                                             "/*",
                                             "*/",
                                             "--",
                                             "\n",
                                             "\r\n'",
                                             "'::text",
                                             "\u2019",
                                             "\xC2\xBF'",
                                             "' || (SELECT s FROM secret) || '",
                                             "\\x27",
                                             "%s",
                                             "\"",
                                             "');",
                                             "\t"};
  for (const std::string& attempt : attempts) {
    EXPECT_EQ(Read({.query = "SELECT :name::text AS name, length(:name) AS n",
                    .parameters = {{"name", attempt}}}),
              attempt + "|" +
                  Read({.query = "SELECT length(:name) AS n", .parameters = {{"name", attempt}}}))
        << attempt;
    EXPECT_EQ(
        Read({.query = "SELECT name FROM t WHERE name = :name", .parameters = {{"name", attempt}}}),
        "")
        << attempt;
    const std::string refused =
        Read({.query = "SELECT name FROM t LIMIT :n", .parameters = {{"n", attempt}}});
    EXPECT_NE(refused.find("invalid input syntax for type bigint"), std::string::npos) << refused;
  }
  EXPECT_EQ(Read({.query = "SELECT :name::text", .parameters = {{"name", std::string("a\0b", 3)}}}),
            "parameter :name holds a NUL character");
  EXPECT_EQ(Read({.query = "SELECT :name::text", .parameters = {{"name", "\xFF"}}}),
            "a text that is not UTF-8");
  EXPECT_EQ(Read({.table = "secret"}), "secret\n");
}

TEST_F(SelectionTest, SaysWhichParameterIsWrong) {
  EXPECT_EQ(Read({.query = "SELECT :from::date", .parameters = {{"form", "x"}}}),
            "the query has no parameter :form; did you mean \"from\"?");
  EXPECT_EQ(Read({.query = "SELECT :from::date"}),
            "the query's parameter :from has no value; give it one");
  EXPECT_NE(Read({.query = "SELECT :from::date", .parameters = {{"from", "yesterday night"}}})
                .find("invalid input syntax for type date"),
            std::string::npos);
  EXPECT_FALSE(CheckParameters({.query = "SELECT :a", .parameters = {}}).has_value());
  EXPECT_TRUE(
      CheckParameters({.query = "SELECT :a", .parameters = {{"a", std::nullopt}}}).has_value());
}

TEST_F(SelectionTest, NamesTheMissingGrant) {
  Run("CREATE TABLE t (a int); CREATE SCHEMA s; CREATE TABLE s.t (a int); CREATE ROLE reader "
      "LOGIN");
  const auto reader = Must(QueryReader::Open({.address = Url("reader")}));
  const auto table = Resolve(*reader, {.table = "t"});
  ASSERT_FALSE(table.has_value());
  EXPECT_EQ(table.error().code, ErrorCode::kPermissionDenied);
  EXPECT_NE(table.error().message.find("GRANT SELECT ON TABLE t TO reader"), std::string::npos)
      << table.error().message;
  const auto other = Must(QueryReader::Open({.address = Url("reader")}));
  const auto schema = Resolve(*other, {.table = "s.t"});
  ASSERT_FALSE(schema.has_value());
  EXPECT_NE(schema.error().message.find("GRANT USAGE ON SCHEMA s TO reader"), std::string::npos)
      << schema.error().message;
}

TEST_F(SelectionTest, F04ColumnsThatAreGrantedAreRead) {
  Run("CREATE TABLE colg AS SELECT 1 AS a, 2 AS secret; CREATE VIEW v AS SELECT * FROM colg;"
      "CREATE ROLE of_columns LOGIN; GRANT SELECT (a) ON colg, v TO of_columns");
  const auto read = [&](const Wanted& wanted) {
    const auto reader = Must(QueryReader::Open({.address = Url("of_columns")}));
    const auto selection = Resolve(*reader, wanted);
    if (!selection.has_value()) return selection.error().message;
    return RowsAsText(*ReadTable(*reader, selection->Select("a < 5"), selection->columns));
  };
  EXPECT_EQ(read({.table = "colg", .columns = {{"a", "a"}}}), "1\n");
  EXPECT_EQ(read({.table = "v", .columns = {{"a", "b"}}}), "1\n");
  EXPECT_EQ(read({.table = "colg"}),
            "of_columns may read some columns of public.colg only; name them, columns: [a], or run "
            "GRANT SELECT ON public.colg TO of_columns");
  EXPECT_EQ(read({.table = "colg", .columns = {{"a", "a"}, {"secret", "s"}}}),
            "of_columns may not read column \"secret\" of public.colg; run GRANT SELECT "
            "(\"secret\") ON public.colg TO of_columns");
  EXPECT_EQ(read({.table = "colg", .columns = {{"b", "b"}}}),
            "there is no column \"b\"; did you mean \"a\"?");
}

TEST_F(SelectionTest, OneStatementThatReads) {
  for (const char* query :
       {"SELECT 1; DROP TABLE t", "SELECT 1) TO PROGRAM 'true' --",
        "SELECT 1) AS q; DROP TABLE t --", "DELETE FROM pg_class", "SELECT", ""}) {
    const auto reader = Reader();
    const auto selection = Resolve(*reader, {.query = query});
    ASSERT_FALSE(selection.has_value()) << query;
    EXPECT_EQ(selection.error().code, ErrorCode::kInvalidArgument) << selection.error().message;
  }
}

}  // namespace
}  // namespace spillway::postgres_source
