#include <cmath>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "batch/number_text.h"
#include "format/format.h"
#include "format/sample_table.h"

namespace spillway::format {
namespace {

std::string Encode(const JsonOptions& options, const std::shared_ptr<arrow::RecordBatch>& batch,
                   Position position = {}) {
  const auto format = NewJsonFormat(options);
  if (!format) return "refused: " + format.error().message;
  auto encoder = (*format)->NewEncoder(*batch->schema(), position);
  if (!encoder) return "refused: " + encoder.error().message;
  Buffer out;
  if (auto appended = (*encoder)->Append(*batch, out); !appended)
    return "refused: " + appended.error().message;
  if (auto finished = (*encoder)->Finish(out); !finished)
    return "refused: " + finished.error().message;
  return std::string(out.view());
}

std::string Line(const std::shared_ptr<arrow::RecordBatch>& batch) {
  return Encode({.lines = true}, batch);
}

TEST(JsonFormat, WritesOneArrayOrLines) {
  const auto table = TextTable({"a", "b"});
  EXPECT_EQ(Encode({}, table), "[\n{\"text\":\"a\"},\n{\"text\":\"b\"}\n]\n");
  EXPECT_EQ(Encode({.lines = true}, table), "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
  EXPECT_EQ(Encode({}, TextTable({})), "[\n\n]\n");
  EXPECT_EQ(Encode({.lines = true}, TextTable({})), "");
}

TEST(JsonFormat, JoinsRuns) {
  const auto table = TextTable({"a"});
  EXPECT_EQ(Encode({}, table, {true, false}) + Encode({}, table, {false, false}) +
                Encode({}, TextTable({}), {false, false}) + Encode({}, table, {false, true}),
            "[\n{\"text\":\"a\"},\n{\"text\":\"a\"},\n{\"text\":\"a\"}\n]\n");
  EXPECT_EQ(
      Encode({}, TextTable({}), {true, false}),
      "refused: the first of several runs has no rows; a file without rows is written as one run");
  EXPECT_EQ(Encode({.lines = true}, TextTable({}), {true, false}), "");
}

TEST(JsonFormat, EscapesStrings) {
  EXPECT_EQ(Line(TextTable({std::string("\"\\/\b\f\n\r\t\x01\x1f\0 ü 🙂 \x7f", 21)})),
            "{\"text\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000 ü 🙂 \x7f\"}\n");
}

TEST(JsonFormat, EscapesKeys) {
  EXPECT_EQ(Line(TextTable({"x"})->RenameColumns({"a\"b\n" + std::string(100, 'k')}).ValueOrDie()),
            "{\"a\\\"b\\n" + std::string(100, 'k') + "\":\"x\"}\n");
}

TEST(JsonFormat, WritesValues) {
  const auto table = SampleTable(2);
  EXPECT_EQ(
      Line(table),
      "{\"text\":\"plain\",\"number\":1,\"at\":\"1970-01-01T00:00:00.000000Z\",\"price\":0.0000,"
      "\"channel\":\"sms\",\"flag\":true}\n"
      "{\"text\":\"comma, \\\"quote\\\"\\r\\nand line\",\"number\":-9223372036854775808,"
      "\"at\":\"2025-01-31T23:59:59.000001Z\",\"price\":-123456.7890,\"channel\":\"voice\","
      "\"flag\":false}\n");
  const auto absent = NullTable(8)->Slice(7);
  EXPECT_EQ(Line(absent),
            "{\"text\":null,\"number\":null,\"at\":null,\"price\":null,\"channel\":null,\"flag\":"
            "null}\n");
}

TEST(JsonFormat, WritesWhatIsNoNumberAsStrings) {
  arrow::DoubleBuilder builder;
  ASSERT_TRUE(builder.AppendValues(std::vector<double>{NAN, INFINITY, -INFINITY, 1.5, 1e21}).ok());
  EXPECT_EQ(Line(OneColumn(*builder.Finish())),
            "{\"value\":\"NaN\"}\n{\"value\":\"Infinity\"}\n{\"value\":\"-Infinity\"}\n{\"value\":"
            "1.5}\n{\"value\":1e+21}\n");
}

TEST(JsonFormat, O5FloatsAreFloatsToEveryReader) {
  arrow::DoubleBuilder builder;
  ASSERT_TRUE(builder.AppendValues(std::vector<double>{14, -0.0, 1e15, 1e-5}).ok());
  EXPECT_EQ(Line(OneColumn(*builder.Finish())),
            "{\"value\":14.0}\n{\"value\":-0.0}\n{\"value\":1000000000000000.0}\n"
            "{\"value\":1e-05}\n");
}

TEST(JsonFormat, E05NumbersThatAreTextStayText) {
  const auto text = TextTable({"-5.25", "NaN"});
  EXPECT_EQ(Line(arrow::RecordBatch::Make(arrow::schema({batch::NumberTextField("n")}), 2,
                                          text->columns())),
            "{\"n\":\"-5.25\"}\n{\"n\":\"NaN\"}\n");
}

TEST(JsonFormat, WritesBinaryDatesAndTimesAsStrings) {
  arrow::BinaryBuilder binary;
  ASSERT_TRUE(binary.Append("f").ok());
  EXPECT_EQ(Line(OneColumn(*binary.Finish())), "{\"value\":\"Zg==\"}\n");
  arrow::Date32Builder dates;
  ASSERT_TRUE(dates.Append(0).ok());
  EXPECT_EQ(Line(OneColumn(*dates.Finish())), "{\"value\":\"1970-01-01\"}\n");
  arrow::Time32Builder times(arrow::time32(arrow::TimeUnit::MILLI), arrow::default_memory_pool());
  ASSERT_TRUE(times.Append(1).ok());
  EXPECT_EQ(Line(OneColumn(*times.Finish())), "{\"value\":\"00:00:00.001\"}\n");
}

TEST(JsonFormat, NamesTheRowOfTextThatIsNoUtf8) {
  for (const char* broken : {"\xff", "abc\xc3", "\xed\xa0\x80", "\xc0\x80"}) {
    EXPECT_EQ(Line(TextTable({"fine", "ü", broken, "fine"})),
              "refused: column \"text\", row 3: not valid UTF-8; JSON has no other text");
  }
  // Two halves of a character in neighbouring rows are valid only together.
  EXPECT_EQ(Line(TextTable({"a\xc3",
                            "\xbc"
                            "b"})),
            "refused: column \"text\", row 1: not valid UTF-8; JSON has no other text");
  EXPECT_EQ(Line(TextTable({"broken: \xff", "fine"})->Slice(1)), "{\"text\":\"fine\"}\n");
}

TEST(JsonFormat, NamesTheRowOfDictionaryTextThatIsNoUtf8) {
  arrow::StringDictionaryBuilder builder;
  for (const char* value : {"fine", "\xff", "fine"}) ASSERT_TRUE(builder.Append(value).ok());
  const auto table = OneColumn(*builder.Finish());
  EXPECT_EQ(Line(table),
            "refused: column \"value\", row 2: not valid UTF-8; JSON has no other text");
  // An entry that no row uses does no harm.
  EXPECT_EQ(Line(table->Slice(2)), "{\"value\":\"fine\"}\n");
}

TEST(JsonFormat, RefusesKeysThatAreNone) {
  const auto text = arrow::field("a", arrow::utf8());
  const auto empty = arrow::RecordBatch::MakeEmpty(arrow::schema({text, text})).ValueOrDie();
  EXPECT_EQ(Line(empty), "refused: two columns are named \"a\"; JSON needs different names");
  EXPECT_EQ(Line(TextTable({})->RenameColumns({"\xff"}).ValueOrDie()),
            "refused: column 1: its name is not valid UTF-8");
}

}  // namespace
}  // namespace spillway::format
