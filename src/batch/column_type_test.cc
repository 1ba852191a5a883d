#include "batch/column_type.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

namespace spillway::batch {
namespace {

TEST(ColumnType, EveryTypeComesBack) {
  for (const char* text : {"string", "timestamp", "int64", "double", "bool", "date",
                           "decimal(10,4)", "decimal(1,0)", "decimal(38,38)"}) {
    const auto type = ParseColumnType(text);
    ASSERT_TRUE(type.has_value()) << type.error().message;
    EXPECT_EQ(FormatColumnType(**type).value(), text);
  }
}

TEST(ColumnType, TypesAreArrows) {
  EXPECT_TRUE(ParseColumnType("timestamp")
                  .value()
                  ->Equals(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")));
  EXPECT_TRUE(ParseColumnType(" decimal( 10, 4 ) ").value()->Equals(arrow::decimal128(10, 4)));
  EXPECT_TRUE(ParseColumnType("decimal(10)").value()->Equals(arrow::decimal128(10, 0)));
}

TEST(ColumnType, NamesTheNearestType) {
  EXPECT_EQ(
      ParseColumnType("strng").error().message,
      "unknown type \"strng\"; did you mean string? Use string, timestamp, int64, double, bool, "
      "date or decimal(precision,scale)");
  EXPECT_EQ(ParseColumnType("blob").error().message,
            "unknown type \"blob\"; use string, timestamp, int64, double, bool, date or "
            "decimal(precision,scale)");
}

TEST(ColumnType, RefusesDecimalsThatAreNone) {
  for (const char* text :
       {"decimal()", "decimal(0,0)", "decimal(39,0)", "decimal(4,5)", "decimal(4,-1)",
        "decimal(4,x)", "decimal(4,2,1)", "decimal(99999999999,0)"}) {
    const auto type = ParseColumnType(text);
    ASSERT_FALSE(type.has_value()) << text;
    EXPECT_NE(type.error().message.find("is no decimal"), std::string::npos) << text;
  }
  EXPECT_FALSE(ParseColumnType("").has_value());
}

TEST(ColumnType, OtherTypesHaveNoText) {
  EXPECT_EQ(FormatColumnType(*arrow::float16()).error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(FormatColumnType(*arrow::timestamp(arrow::TimeUnit::NANO, "UTC")).has_value());
}

}  // namespace
}  // namespace spillway::batch
