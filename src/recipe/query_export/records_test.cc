#include "recipe/query_export/records.h"

#include <gtest/gtest.h>

namespace spillway::recipe {
namespace {

constexpr char kLatin1[] = "gr\xFCn";

TEST(QueryRecords, ReadBack) {
  const QueryChunk chunk{.condition = "name < 'grün'", .rows = 3, .cut_off = 2, .runs = {{}}};
  const auto json = ToJson(chunk);
  ASSERT_TRUE(json.has_value());
  const auto read = QueryChunkFromJson(*json);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->condition, chunk.condition);
  EXPECT_EQ(read->rows, 3);
  EXPECT_EQ(read->cut_off, 2);
  EXPECT_EQ(read->runs.size(), 1U);
}

TEST(QueryRecords, ASourceIsReadBack) {
  const QuerySource source{.database = "shop",
                           .columns = {},
                           .tables = {16400, 16500},
                           .rows = 3,
                           .concealed = {"/from"}};
  const auto json = ToJson(source);
  ASSERT_TRUE(json.has_value());
  const auto read = QuerySourceFromJson(*json);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->database, "shop");
  EXPECT_EQ(read->tables, source.tables);
  EXPECT_EQ(read->rows, 3);
  EXPECT_EQ(read->concealed, source.concealed);
}

TEST(QueryRecords, WhatIsNotUtf8IsRefused) {
  const auto chunk = ToJson(QueryChunk{.condition = kLatin1});
  ASSERT_FALSE(chunk.has_value());
  EXPECT_EQ(chunk.error().code, ErrorCode::kInvalidArgument);
  QuerySource source;
  EXPECT_TRUE(ToJson(source).has_value());
  source.columns.push_back(postgres_source::ColumnOf(kLatin1, 25, -1, "text", false));
  EXPECT_FALSE(ToJson(source).has_value());
}

TEST(QueryRecords, APlanOfAnotherVersionIsRunAgain) {
  // As the version before wrote them: without instant, settings, one_session, keys and others.
  const auto source = QuerySourceFromJson(
      R"({"database":"db","server":"s","snapshot":"1-1","from":"t","list":"*","columns":[],)"
      R"("split_by":"","rows":3,"splits":1})");
  const auto chunk = QueryChunkFromJson(R"({"condition":"","rows":3,"cut_off":0,"runs":[]})");
  ASSERT_FALSE(source.has_value());
  ASSERT_FALSE(chunk.has_value());
  for (const Error& error : {source.error(), chunk.error()}) {
    EXPECT_EQ(error.code, ErrorCode::kConflict);
    EXPECT_FALSE(error.retryable);
    EXPECT_EQ(error.message,
              "the export was planned by another version of Spillway, whose plans this one does "
              "not read; run the export again");
  }
  const auto broken = QueryChunkFromJson("{");
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace spillway::recipe
