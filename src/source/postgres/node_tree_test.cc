#include "source/postgres/node_tree.h"

#include <gtest/gtest.h>

namespace spillway::postgres_source {
namespace {

TEST(NodeTree, ReadsWhatOutfuncsWrites) {
  const auto tree = ParseNodeTree(
      "({QUERY :commandType 1 :utilityStmt <> :hasWindowFuncs true \n:rtable ({RANGETBLENTRY "
      ":alias "
      "{ALIAS :aliasname a\\ \\(b\\) :colnames (\"x\" \"y\")} :selectedCols (b 8 9)}) :limitCount "
      "{CONST :consttype 20 :location -1 :constvalue 8 [ -1 0 0 ]} :sortClause <> :groupClause "
      "()})");
  ASSERT_TRUE(tree.has_value()) << tree.error().message;
  ASSERT_EQ(tree->items.size(), 1U);
  const Node& query = tree->items[0];
  EXPECT_EQ(query.label, "QUERY");
  EXPECT_EQ(query.Number("commandType"), 1);
  EXPECT_TRUE(query.Is("hasWindowFuncs", "true"));
  EXPECT_TRUE(query.Has("limitCount"));
  for (const char* nothing : {"utilityStmt", "sortClause", "groupClause", "absent"})
    EXPECT_FALSE(query.Has(nothing)) << nothing;
  const Node& table = query.Field("rtable").items.at(0);
  EXPECT_EQ(table.Field("alias").Field("aliasname").word, "a (b)");
  EXPECT_EQ(table.Field("alias").Field("colnames").items.size(), 2U);
  EXPECT_EQ(query.Field("limitCount").Number("location"), -1);
  EXPECT_EQ(query.Field("limitCount").Field("constvalue").items.size(), 5U);
}

TEST(NodeTree, RefusesWhatIsNone) {
  for (const char* text : {"", "(", "{", "{QUERY", "{QUERY :a", "{QUERY :a 1", "{QUERY a}", ")",
                           "() ()", "{QUERY :a }", "{QUERY :a (}"})
    EXPECT_FALSE(ParseNodeTree(text).has_value()) << text;
  EXPECT_FALSE(ParseNodeTree(std::string(1'000'000, '(')).has_value());
}

}  // namespace
}  // namespace spillway::postgres_source
