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

TEST(QueryRecords, WhatIsNotUtf8IsRefused) {
  const auto chunk = ToJson(QueryChunk{.condition = kLatin1});
  ASSERT_FALSE(chunk.has_value());
  EXPECT_EQ(chunk.error().code, ErrorCode::kInvalidArgument);
  QuerySource source;
  EXPECT_TRUE(ToJson(source).has_value());
  source.columns.push_back(postgres_source::ColumnOf(kLatin1, 25, -1, "text", false));
  EXPECT_FALSE(ToJson(source).has_value());
}

}  // namespace
}  // namespace spillway::recipe
