#include "lake/ingest/ndjson_row_parser.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/lake_contents.h"

namespace spillway::lake {
namespace {

using testing::HasSubstr;

class NdjsonRowParserTest : public testing::Test {
 protected:
  std::expected<std::string, std::string> Parse(std::string_view line) {
    std::string padded(line);
    padded.append(NdjsonRowParser::kPadding, '\n');
    rows_.Clear();
    const auto organisation = parser_.Parse(std::string_view(padded).substr(0, line.size()), rows_);
    if (!organisation) {
      EXPECT_EQ(rows_.size(), 0);
      return std::unexpected(organisation.error());
    }
    EXPECT_EQ(HeaderOf(rows_.data()).bytes, rows_.size());
    EXPECT_EQ(rows_.size() % 8, 0);
    return std::string(*organisation);
  }
  std::string Reason(std::string_view line) {
    const auto parsed = Parse(line);
    EXPECT_FALSE(parsed) << line;
    return parsed ? "" : parsed.error();
  }
  std::string_view Text(size_t column) {
    const auto slot = Load<StringSlot>(rows_.data() + layout_.columns()[column].offset);
    return {rows_.data() + slot.offset, slot.bytes};
  }

  LakeSchema schema_ = MessageSchema();
  RowLayout layout_ = *RowLayout::Of(schema_);
  NdjsonRowParser parser_{layout_, "organisation", UnknownFields::kReject, 1 << 20};
  NdjsonRowParser lenient_{layout_, "organisation", UnknownFields::kIgnore, 1 << 20};
  Buffer rows_;
};

constexpr std::string_view kStart = R"({"organisation":"a","at":"2026-01-01T00:00:00Z")";

std::string With(std::string_view rest) {
  return std::string(kStart) + "," + std::string(rest) + "}";
}

TEST_F(NdjsonRowParserTest, TakesEveryKindOfValue) {
  EXPECT_EQ(
      *Parse(R"( { "open" : true, "price":"1.25","ratio":0.5,"count":-7,"text":"é\n\u0041\"",)"
             R"("id":"","organisation":"a\u0000b","at":"1970-01-01T00:00:01Z"} )"),
      std::string_view("a\0b", 3));
  EXPECT_EQ(HeaderOf(rows_.data()).time, 1'000'000);
  EXPECT_EQ(Text(0), "");
  EXPECT_EQ(Text(2), "é\nA\"");
}

TEST_F(NdjsonRowParserTest, KeysMayBeWrittenWithEscapes) {
  EXPECT_TRUE(Parse(With(R"("\u0069d":"x")")));
  EXPECT_EQ(Text(0), "x");
  EXPECT_THAT(Reason(With(R"("id":"x","\u0069d":"y")")), HasSubstr(R"("id": appears twice)"));
}

TEST_F(NdjsonRowParserTest, OrganisationAndTimeAreNeeded) {
  EXPECT_THAT(Reason(R"({"at":"2026-01-01T00:00:00Z"})"),
              HasSubstr(R"("organisation": is missing)"));
  EXPECT_THAT(Reason(R"({"organisation":null,"at":"2026-01-01T00:00:00Z"})"),
              HasSubstr(R"("organisation": is missing)"));
  EXPECT_THAT(Reason(R"({"organisation":"","at":"2026-01-01T00:00:00Z"})"), HasSubstr("is empty"));
  EXPECT_THAT(Reason(R"({"organisation":7,"at":"2026-01-01T00:00:00Z"})"),
              HasSubstr("is a number, not a string"));
  EXPECT_THAT(Reason(R"({"organisation":"a"})"), HasSubstr(R"("at": is missing)"));
  EXPECT_THAT(Reason(R"({"organisation":"a","at":null})"), HasSubstr(R"("at": is missing)"));
  EXPECT_THAT(Reason(R"({"organisation":"a","at":1767225600})"),
              HasSubstr("is a number, the column holds a time in a string"));
  EXPECT_THAT(Reason("{}"), HasSubstr("is missing"));
}

TEST_F(NdjsonRowParserTest, AnOrganisationHasUpTo1024Bytes) {
  const auto line = [](size_t bytes) {
    return R"({"at":"2026-01-01T00:00:00Z","organisation":")" + std::string(bytes, 'x') + "\"}";
  };
  EXPECT_TRUE(Parse(line(1024)));
  EXPECT_THAT(Reason(line(1025)), HasSubstr("longer than 1024 bytes"));
}

TEST_F(NdjsonRowParserTest, AFieldTwiceIsRefused) {
  EXPECT_THAT(Reason(With(R"("id":"x","id":"x")")), HasSubstr("appears twice"));
  EXPECT_THAT(Reason(With(R"("id":null,"id":"x")")), HasSubstr("appears twice"));
  EXPECT_THAT(Reason(With(R"("organisation":"a")")), HasSubstr("appears twice"));
  EXPECT_THAT(Reason(R"({"organisation":null,"organisation":"a","at":"2026-01-01T00:00:00Z"})"),
              HasSubstr("appears twice"));
}

TEST_F(NdjsonRowParserTest, AValueOfAnotherTypeIsRefused) {
  EXPECT_THAT(Reason(With(R"("text":5)")), HasSubstr("is a number, the column holds a string"));
  EXPECT_THAT(Reason(With(R"("text":{})")), HasSubstr("is an object"));
  EXPECT_THAT(Reason(With(R"("count":"5")")), HasSubstr("is a string, the column holds a number"));
  EXPECT_THAT(Reason(With(R"("count":1.5)")), HasSubstr("not a whole number"));
  EXPECT_THAT(Reason(With(R"("count":9223372036854775808)")), HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(Reason(With(R"("ratio":9007199254740993)")), HasSubstr("beyond 2^53"));
  EXPECT_THAT(Reason(With(R"("price":0.00001)")), HasSubstr("more than 4 digits"));
  EXPECT_THAT(Reason(With(R"("price":"x")")), HasSubstr("not a JSON number"));
  EXPECT_THAT(Reason(With(R"("open":1)")), HasSubstr("the column holds a boolean"));
}

TEST_F(NdjsonRowParserTest, UnknownFieldsAreRefusedOrPassedOver) {
  const std::string line = With(R"("new":{"a":[1,"x",null,true,{"b":1e5}]},"newer":[])");
  EXPECT_THAT(Reason(line), HasSubstr(R"("new": is no column)"));
  std::string padded = line + std::string(NdjsonRowParser::kPadding, ' ');
  EXPECT_TRUE(lenient_.Parse(std::string_view(padded).substr(0, line.size()), rows_));
  EXPECT_EQ(lenient_.ignored_fields(), 2);
}

TEST_F(NdjsonRowParserTest, WhatIsPassedOverMustBeJsonToo) {
  for (const char* value :
       {R"([1 2])", R"({"a" 1})", R"([1,])", R"({,})", R"(tru)", R"("\x")", R"(01)", R"([1}])",
        R"({"a":1,"b"})", R"([)", R"(nul)", R"("\ud800")"}) {
    const std::string line = With(std::string(R"("new":)") + value);
    std::string padded = line + std::string(NdjsonRowParser::kPadding, ' ');
    EXPECT_FALSE(lenient_.Parse(std::string_view(padded).substr(0, line.size()), rows_)) << line;
  }
  const std::string deep = With("\"new\":" + std::string(500, '[') + std::string(500, ']'));
  std::string padded = deep + std::string(NdjsonRowParser::kPadding, ' ');
  EXPECT_FALSE(lenient_.Parse(std::string_view(padded).substr(0, deep.size()), rows_));
}

TEST_F(NdjsonRowParserTest, WhatIsNotOneJsonObjectIsRefused) {
  for (const char* line :
       {"[]", "5", "null", "\"x\"", "{", "}", "{\"organisation\"}", "garbage", "{}{}", "{} x",
        "{\"a\":}", "{'organisation':'a'}", "[{}]", "nul", "{\"organisation\":\"a\",}"}) {
    EXPECT_FALSE(Parse(line)) << line;
  }
  EXPECT_FALSE(Parse(With(R"("id":"x"} {"id":"y")")));
  EXPECT_FALSE(Parse(With(R"("id":"x"},{"id":"y")")));
  EXPECT_FALSE(Parse(With(R"("id":"x"}])")));
  EXPECT_FALSE(Parse(With(R"("id":"x",)")));
  EXPECT_FALSE(Parse(With(R"("id":"x" "text":"y")")));
  EXPECT_FALSE(Parse(With("\"id\":\"a\nb\"")));
  EXPECT_FALSE(Parse(With(R"("open":truex)")));
  EXPECT_FALSE(Parse(With(R"("id":nullx)")));
  EXPECT_FALSE(Parse(With(R"("count":1x)")));
  EXPECT_FALSE(Parse(With(R"("id":"\q")")));
}

TEST_F(NdjsonRowParserTest, BrokenUtf8IsRefused) {
  EXPECT_EQ(Reason(With("\"id\":\"\xFF\"")), "not valid UTF-8");
  EXPECT_EQ(Reason(With("\"id\":\"\xC3\"")), "not valid UTF-8");
  EXPECT_EQ(Reason(With("\"id\":\"\xED\xA0\x80\"")), "not valid UTF-8");
  EXPECT_FALSE(Parse(With(R"("id":"\ud800")")));
  EXPECT_FALSE(Parse(With(R"("id":"\udc00")")));
  EXPECT_FALSE(Parse(With(R"("id":"\ud800\u0041")")));
  EXPECT_TRUE(Parse(With(R"("id":"\ud83d\ude00")")));
  EXPECT_EQ(Text(0), "😀");
}

TEST_F(NdjsonRowParserTest, ALineLongerThanAllowedIsRefused) {
  NdjsonRowParser narrow(layout_, "organisation", UnknownFields::kReject, 100);
  std::string line = With("\"id\":\"" + std::string(100, 'x') + "\"");
  const size_t size = line.size();
  line.append(NdjsonRowParser::kPadding, ' ');
  EXPECT_THAT(narrow.Parse(std::string_view(line).substr(0, size), rows_).error(),
              HasSubstr("longer than 100 bytes"));
}

TEST(RowLayoutTest, TypesThatMessagesCannotHaveAreNamed) {
  LakeSchema schema = MessageSchema();
  schema.time_column = "when";
  EXPECT_EQ(RowLayout::Of(schema).error().code, ErrorCode::kInvalidArgument);
  schema.time_column = "count";
  EXPECT_THAT(RowLayout::Of(schema).error().message, HasSubstr("\"count\""));
}

}  // namespace
}  // namespace spillway::lake
