#include "source/postgres/named_query.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spillway::postgres_source {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Names(std::string_view sql) {
  const auto query = NamedQuery::Parse(sql);
  EXPECT_TRUE(query.has_value()) << sql << ": " << query.error().message;
  return query.has_value() ? query->names() : std::vector<std::string>{"?"};
}

TEST(NamedQuery, FindsEveryNameOnce) {
  EXPECT_THAT(Names("SELECT * FROM t WHERE a = :from AND b BETWEEN :from AND :to_2"),
              ElementsAre("from", "to_2"));
  EXPECT_THAT(Names("SELECT :a::date, x::text, f(y := :b), (:c)"), ElementsAre("a", "b", "c"));
}

TEST(NamedQuery, PassesOverWhatIsNone) {
  for (const char* sql :
       {"SELECT ':no'", "SELECT 'it''s :no'", "SELECT ':no\\', 1", "SELECT E'\\':no'",
        "SELECT e'\\\\'", "SELECT \":no\"", "SELECT \"a\"\":no\"", "SELECT $$ :no $$",
        "SELECT $q$ $$ :no $q$", "SELECT 1 -- :no", "SELECT 1 /* :no /* :no */ :no */",
        "SELECT a::int", "SELECT f(a := 1)", "SELECT a[1:2], a$b$c", "SELECT ime'x'':no'"}) {
    EXPECT_THAT(Names(sql), IsEmpty()) << sql;
  }
  // What continues an escaped text is escaped as well.
  EXPECT_THAT(Names("SELECT E'a' -- :no\n  '\\' :no'"), IsEmpty());
  EXPECT_THAT(Names("SELECT E'a' || '\\', :yes, ''"), ElementsAre("yes"));
  EXPECT_THAT(Names("SELECT E'a' -- the end"), IsEmpty());
  // A plain text ends at its quote, whatever stands before it.
  EXPECT_THAT(Names("SELECT 'a\\', :yes, 'b'"), ElementsAre("yes"));
  EXPECT_THAT(Names("SELECT name'\\', :yes, ''"), ElementsAre("yes"));
  EXPECT_THAT(Names("SELECT E'\\\\', :yes"), ElementsAre("yes"));
}

TEST(NamedQuery, PutsPlaceholdersAndExpressions) {
  const auto query = *NamedQuery::Parse("SELECT :b, :a, :b9::text;  -- done\n");
  EXPECT_EQ(query.WithPlaceholders(), "SELECT $1 , $2 , $3 ::text  -- done\n");
  EXPECT_EQ(query.With(std::array<std::string, 3>{"1", "2", "'x'"}),
            "SELECT (1), (2), ('x')::text  -- done\n");
}

TEST(NamedQuery, RefusesWhatIsNoOneStatement) {
  for (const char* sql :
       {"SELECT 'a", "SELECT \"a", "SELECT $$ a", "SELECT $q$ a $$", "SELECT /* /* */", "SELECT $1",
        "SELECT 1; SELECT 2", "SELECT 1; :a", "SELECT E'\\'", "SELECT E'\\"}) {
    const auto query = NamedQuery::Parse(sql);
    ASSERT_FALSE(query.has_value()) << sql;
    EXPECT_EQ(query.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_THAT(Names("SELECT 1;; /* :x */ -- :y"), IsEmpty());
  EXPECT_THAT(Names(""), IsEmpty());
}

}  // namespace
}  // namespace spillway::postgres_source
