#include "recipe/query_export/parameters.h"

#include <gtest/gtest.h>

namespace spillway::recipe {
namespace {

std::string ErrorOf(std::string_view json) {
  const auto read = QueryExportParametersFromJson(json, {});
  return read.has_value() ? "" : read.error().message;
}

TEST(QueryExportParameters, ValuesAreTexts) {
  const auto read = QueryExportParametersFromJson(
      R"({"parameters": {"a": "x", "b": 1.50, "c": true, "d": null}, "format": "ndjson"})", {});
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->values.at("a"), "x");
  EXPECT_EQ(read->values.at("b"), "1.5");
  EXPECT_EQ(read->values.at("c"), "true");
  EXPECT_EQ(read->values.at("d"), std::nullopt);
  EXPECT_EQ(read->output.format, FileFormat::kNdjson);
  const auto again = QueryExportParametersFromJson(ToJson(*read), {.format = FileFormat::kParquet});
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(ToJson(*again), ToJson(*read));
}

TEST(QueryExportParameters, WhatIsConcealedIsReadBack) {
  const auto read = QueryExportParametersFromJson(
      R"({"parameters": {"a": "x"}, "concealed": ["/parameters/a"]})", {});
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->concealed, std::vector<std::string>{"/parameters/a"});
  EXPECT_TRUE(ToJson(*read).contains("\"concealed\":[\"/parameters/a\"]"));
  EXPECT_FALSE(ToJson(QueryExportParameters()).contains("concealed"));
}

TEST(QueryExportParameters, RefusesWhatIsNone) {
  EXPECT_EQ(ErrorOf("[]"), "parameters must be one JSON object");
  EXPECT_EQ(ErrorOf(R"({"parameters": []})"), "parameters: must be an object");
  EXPECT_EQ(ErrorOf(R"({"parameters": {"a": [1]}})"),
            "parameters.a: must be a text, number, boolean or null");
  EXPECT_EQ(ErrorOf(R"({"parameter": {}})"),
            "unknown parameter \"parameter\"; did you mean \"parameters\"?");
}

}  // namespace
}  // namespace spillway::recipe
