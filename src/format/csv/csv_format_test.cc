#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/float16.h>
#include <gtest/gtest.h>

#include "batch/number_text.h"
#include "format/format.h"
#include "format/sample_table.h"

namespace spillway::format {
namespace {

std::string Encode(const CsvOptions& options, const std::shared_ptr<arrow::RecordBatch>& batch) {
  const auto format = NewCsvFormat(options);
  if (!format) return "refused: " + format.error().message;
  auto encoder = (*format)->NewEncoder(*batch->schema(), {});
  if (!encoder) return "refused: " + encoder.error().message;
  Buffer out;
  if (auto appended = (*encoder)->Append(*batch, out); !appended)
    return "refused: " + appended.error().message;
  if (auto finished = (*encoder)->Finish(out); !finished)
    return "refused: " + finished.error().message;
  return std::string(out.view());
}

template <class Builder, class... Values>
std::shared_ptr<arrow::RecordBatch> Table(Builder&& builder, Values... values) {
  arrow::Status status;
  ((status &= builder.Append(values)), ...);
  status &= builder.AppendNull();
  EXPECT_TRUE(status.ok());
  return OneColumn(*builder.Finish());
}

std::shared_ptr<arrow::RecordBatch> Pair(std::vector<std::string> a, std::vector<std::string> b) {
  const auto left = TextTable(a), right = TextTable(b);
  return arrow::RecordBatch::Make(
      arrow::schema({arrow::field("a", arrow::utf8()), arrow::field("b", arrow::utf8())}),
      left->num_rows(), {left->column(0), right->column(0)});
}

CsvOptions Bare(CsvOptions options = {}) {
  options.header = false;
  options.line_end = "\n";
  return options;
}

TEST(CsvFormat, IsRfc4180) {
  EXPECT_EQ(Encode({}, Pair({"plain", "", "a,b", "a;b"},
                            {"say \"hi\"", "two\r\nlines", "cr\ronly", " spaces "})),
            "a,b\r\n"
            "plain,\"say \"\"hi\"\"\"\r\n"
            "\"\",\"two\r\nlines\"\r\n"
            "\"a,b\",\"cr\ronly\"\r\n"
            "a;b, spaces \r\n");
}

TEST(CsvFormat, QuotesHeadersThatNeedIt) {
  const auto batch = TextTable({"x"})->RenameColumns({"a \"b\", c"}).ValueOrDie();
  EXPECT_EQ(Encode({}, batch), "\"a \"\"b\"\", c\"\r\nx\r\n");
  for (const std::string name : {"two\nlines", "carriage\rreturn"}) {
    const auto labelled = TextTable({"x"})->RenameColumns({name}).ValueOrDie();
    EXPECT_EQ(Encode({}, labelled), "\"" + name + "\"\r\nx\r\n");
  }
}

TEST(CsvFormat, TakesAnyDelimiter) {
  for (char delimiter : {';', '\t', '|', ' ', '~', '^'}) {
    const std::string d(1, delimiter);
    EXPECT_EQ(Encode(Bare({.delimiter = delimiter}), Pair({"a" + d + "b"}, {"a,b"})),
              "\"a" + d + "b\"" + d + "a,b\n");
  }
  for (char delimiter :
       {'"', '\r', '\n', '\0', '0', 'a', '-', '.', ':', '+', '/', '=', '*', ']', '\x80'}) {
    EXPECT_TRUE(
        Encode({.delimiter = delimiter}, TextTable({"x"})).starts_with("refused: csv delimiter"))
        << delimiter;
  }
}

TEST(CsvFormat, QuotesAllButAbsentValues) {
  EXPECT_EQ(Encode(Bare({.quoting = Quoting::kAll}), Table(arrow::Int64Builder(), -5)),
            "\"-5\"\n\"\"\n");
  const auto table = SampleTable(1);
  EXPECT_EQ(Encode(Bare({.quoting = Quoting::kAll}), table),
            "\"plain\",\"1\",\"1970-01-01T00:00:00.000000Z\",\"0.0000\",\"sms\",\"true\"\n");
}

TEST(CsvFormat, TellsNullMarkersFromStrings) {
  arrow::StringBuilder text;
  ASSERT_TRUE(text.AppendValues({"NULL", "NUL", "NULLS", ""}).ok());
  ASSERT_TRUE(text.AppendNull().ok());
  const auto table = OneColumn(*text.Finish());
  EXPECT_EQ(Encode(Bare({.null_marker = "NULL"}), table), "\"NULL\"\nNUL\nNULLS\n\"\"\nNULL\n");
  EXPECT_EQ(Encode(Bare({.null_marker = "\\N"}), table), "NULL\nNUL\nNULLS\n\"\"\n\\N\n");
  // What other columns write can read like a marker, too.
  EXPECT_EQ(Encode(Bare({.null_marker = "NaN"}), Table(arrow::DoubleBuilder(), NAN)),
            "\"NaN\"\nNaN\n");
  EXPECT_EQ(Encode(Bare({.null_marker = "true"}), Table(arrow::BooleanBuilder(), true, false)),
            "\"true\"\nfalse\ntrue\n");
  EXPECT_EQ(Encode(Bare({.null_marker = "NULL"}), Table(arrow::BinaryBuilder(), "\x35\x42\xcb")),
            "\"NULL\"\nNULL\n");
}

TEST(CsvFormat, KeepsRowsOfOneEmptyValue) {
  // Readers pass over empty lines.
  for (const bool escape : {false, true}) {
    const CsvOptions options = Bare({.null_marker = "-", .escape_formulas = escape});
    EXPECT_EQ(Encode(options, Table(arrow::StringBuilder(), "", "x")), "\"\"\nx\n-\n");
    EXPECT_EQ(Encode(options, Table(arrow::LargeStringBuilder(), "")), "\"\"\n-\n");
    EXPECT_EQ(Encode(options, Table(arrow::BinaryBuilder(), "")), "\"\"\n-\n");
    arrow::StringDictionaryBuilder dictionary;
    ASSERT_TRUE(dictionary.Append("").ok() && dictionary.Append("x").ok());
    EXPECT_EQ(Encode(options, OneColumn(*dictionary.Finish())), "\"\"\nx\n");
  }
  CsvOptions options = Bare({.null_marker = "-"});
  options.header = true;
  const auto unnamed = TextTable({"x"})->RenameColumns({""}).ValueOrDie();
  EXPECT_EQ(Encode(options, unnamed), "\"\"\nx\n");
}

TEST(CsvFormat, KeepsRowsOfOneAbsentValue) {
  // Readers pass over empty lines.
  arrow::StringBuilder text;
  ASSERT_TRUE(text.AppendNull().ok());
  EXPECT_EQ(Encode(Bare(), OneColumn(*text.Finish())), "\"\"\n");
}

TEST(CsvFormat, E02QuotesALineThatWouldEndTheFile) {
  // Up to PostgreSQL 17, COPY FROM takes a line that is just \. for the end of its data.
  for (const bool escape : {false, true}) {
    const CsvOptions options = Bare({.null_marker = "-", .escape_formulas = escape});
    const std::string lines = "first\n\"\\.\"\nlast\n-\n";
    EXPECT_EQ(Encode(options, Table(arrow::StringBuilder(), "first", "\\.", "last")), lines);
    EXPECT_EQ(Encode(options, Table(arrow::LargeStringBuilder(), "first", "\\.", "last")), lines);
    EXPECT_EQ(Encode(options, Table(arrow::StringDictionaryBuilder(), "first", "\\.", "last")),
              lines);
    EXPECT_EQ(Encode(options, TextTable({"\\", ".", "\\..", "x\\.", "\\.x"})),
              "\\\n.\n\\..\nx\\.\n\\.x\n");
  }
  EXPECT_EQ(Encode({}, TextTable({"x"})->RenameColumns({"\\."}).ValueOrDie()), "\"\\.\"\r\nx\r\n");
  // Beside other fields it is no line.
  EXPECT_EQ(Encode(Bare(), Pair({"\\.", "", "\\."}, {"\\.", "\\.", ""})),
            "\\.,\\.\n\"\",\\.\n\\.,\"\"\n");
  // Nor can an absent value or two fields make such a line.
  EXPECT_EQ(Encode({.null_marker = "\\."}, TextTable({"x"})),
            "refused: csv null marker: ends the file for PostgreSQL's COPY FROM; use another text, "
            "such as NULL");
  EXPECT_TRUE(Encode({.delimiter = '\\'}, TextTable({"x"})).starts_with("refused: csv delimiter"));
}

TEST(CsvFormat, RefusesNullMarkersThatCannotBeTold) {
  for (const char* marker : {"a,b", "\"", "\n", "0", "-1", "+5", "1970-01-01", "\\."}) {
    EXPECT_TRUE(
        Encode({.null_marker = marker}, TextTable({"x"})).starts_with("refused: csv null marker"))
        << marker;
  }
  EXPECT_TRUE(Encode({.null_marker = std::string(33, 'x')}, TextTable({"x"}))
                  .starts_with("refused: csv null marker"));
  EXPECT_EQ(Encode(Bare({.null_marker = "-"}), TextTable({"-", "x"})), "\"-\"\nx\n");
}

TEST(CsvFormat, EscapesFormulasInStringsOnly) {
  const CsvOptions excel = Bare({.escape_formulas = true});
  EXPECT_EQ(Encode(excel, TextTable({"=1+1", "+1", "-1", "@x", "\tx", "\rx", "x=1", "=\"a\",b"})),
            "'=1+1\n'+1\n'-1\n'@x\n'\tx\n\"'\rx\"\nx=1\n\"'=\"\"a\"\",b\"\n");
  EXPECT_EQ(Encode(excel, Table(arrow::Int64Builder(), -5)), "-5\n\"\"\n");
  EXPECT_EQ(Encode(Bare(), TextTable({"=1+1"})), "=1+1\n");
  EXPECT_EQ(Encode({.escape_formulas = true}, TextTable({})->RenameColumns({"=cmd"}).ValueOrDie()),
            "'=cmd\r\n");
}

TEST(CsvFormat, E05NumbersThatAreTextAreNoFormulas) {
  const auto numbers = [](std::vector<std::string> values) {
    const auto text = TextTable(values);
    return arrow::RecordBatch::Make(arrow::schema({batch::NumberTextField("n")}), text->num_rows(),
                                    text->columns());
  };
  const auto table = numbers({"-5.25", "14", "NaN", "-Infinity"});
  EXPECT_EQ(Encode(Bare({.escape_formulas = true}), table), "-5.25\n14\nNaN\n-Infinity\n");
  EXPECT_EQ(Encode(Bare({.quoting = Quoting::kAll, .escape_formulas = true}), table),
            "\"-5.25\"\n\"14\"\n\"NaN\"\n\"-Infinity\"\n");
  EXPECT_EQ(Encode(Bare({.null_marker = "NaN"}), table), "-5.25\n14\n\"NaN\"\n-Infinity\n");
  // However large: PostgreSQL's numeric has up to 131072 digits before the point.
  const std::string large = "-" + std::string(131'072, '9') + "." + std::string(16'383, '9');
  EXPECT_EQ(Encode(Bare({.escape_formulas = true}), numbers({large, "0", large})),
            large + "\n0\n" + large + "\n");
  EXPECT_EQ(Encode(Bare({.escape_formulas = true}), TextTable({"-5.25"})), "'-5.25\n");
}

TEST(CsvFormat, EscapesFormulasInDictionaries) {
  arrow::StringDictionaryBuilder builder;
  ASSERT_TRUE(builder.Append("=x").ok());
  ASSERT_TRUE(builder.Append("a,b").ok());
  ASSERT_TRUE(builder.AppendNull().ok());
  const auto table = OneColumn(*builder.Finish());
  EXPECT_EQ(Encode(Bare({.null_marker = "-", .escape_formulas = true}), table),
            "'=x\n\"a,b\"\n-\n");
}

TEST(CsvFormat, WritesTheByteOrderMarkOnce) {
  const auto format = *NewCsvFormat({.byte_order_mark = true});
  const auto table = TextTable({"x"});
  std::string file;
  for (Position position : {Position{true, false}, Position{false, false}, Position{false, true}}) {
    Buffer out;
    auto encoder = *format->NewEncoder(*table->schema(), position);
    ASSERT_TRUE(encoder->Append(*table, out).has_value());
    ASSERT_TRUE(encoder->Append(*table, out).has_value());
    ASSERT_TRUE(encoder->Finish(out).has_value());
    file += out.view();
  }
  EXPECT_EQ(file, "\xef\xbb\xbftext\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\n");
}

TEST(CsvFormat, WritesEveryType) {
  const auto value = [](const auto& table) {
    std::string rows = Encode(Bare({.null_marker = "-"}), table);
    EXPECT_TRUE(rows.ends_with("\n-\n")) << rows;
    return rows.substr(0, rows.size() - 3);
  };
  const auto pool = arrow::default_memory_pool();
  EXPECT_EQ(value(Table(arrow::Int8Builder(), std::numeric_limits<int8_t>::min())), "-128");
  EXPECT_EQ(value(Table(arrow::Int16Builder(), std::numeric_limits<int16_t>::min())), "-32768");
  EXPECT_EQ(value(Table(arrow::Int32Builder(), std::numeric_limits<int32_t>::min())),
            "-2147483648");
  EXPECT_EQ(value(Table(arrow::UInt8Builder(), 255)), "255");
  EXPECT_EQ(value(Table(arrow::UInt16Builder(), 65'535)), "65535");
  EXPECT_EQ(value(Table(arrow::UInt32Builder(), 4'294'967'295u)), "4294967295");
  EXPECT_EQ(value(Table(arrow::UInt64Builder(), std::numeric_limits<uint64_t>::max())),
            "18446744073709551615");
  EXPECT_EQ(
      value(Table(arrow::DoubleBuilder(), 0.1, 1.0, -0.0, 1e300, 5e-324, INFINITY, -INFINITY, NAN)),
      "0.1\n1.0\n-0.0\n1e+300\n5e-324\nInfinity\n-Infinity\nNaN");
  EXPECT_EQ(value(Table(arrow::FloatBuilder(), 0.1f, 16'777'216.0f)), "0.1\n16777216.0");
  EXPECT_EQ(value(Table(arrow::HalfFloatBuilder(), arrow::util::Float16(1.5f).bits())), "1.5");
  EXPECT_EQ(value(Table(arrow::Date32Builder(), 20'119)), "2025-01-31");
  EXPECT_EQ(
      value(Table(arrow::Time32Builder(arrow::time32(arrow::TimeUnit::SECOND), pool), 86'399)),
      "23:59:59");
  EXPECT_EQ(value(Table(arrow::Time64Builder(arrow::time64(arrow::TimeUnit::MICRO), pool), 1)),
            "00:00:00.000001");
  EXPECT_EQ(
      value(Table(arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::SECOND), pool), 0)),
      "1970-01-01T00:00:00");
  EXPECT_EQ(value(Table(
                arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MILLI, "UTC"), pool), 1)),
            "1970-01-01T00:00:00.001Z");
  EXPECT_EQ(value(Table(
                arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::NANO, "UTC"), pool), 1)),
            "1970-01-01T00:00:00.000000001Z");
  EXPECT_EQ(value(Table(arrow::BinaryBuilder(), "", "f", "fo", "foo", "foob")),
            "\"\"\nZg==\nZm8=\nZm9v\nZm9vYg==");
  EXPECT_EQ(value(Table(arrow::LargeBinaryBuilder(), "\xff\xfe")), "//4=");
  EXPECT_EQ(value(Table(arrow::FixedSizeBinaryBuilder(arrow::fixed_size_binary(2)), "ab", "cd")),
            "YWI=\nY2Q=");
  EXPECT_EQ(value(Table(arrow::LargeStringBuilder(), "a,b", "c")), "\"a,b\"\nc");
  EXPECT_EQ(value(Table(arrow::Decimal128Builder(arrow::decimal128(38, 10)),
                        arrow::Decimal128("-1234567890123456789012345678.0123456789"),
                        arrow::Decimal128(5))),
            "-1234567890123456789012345678.0123456789\n0.0000000005");
  EXPECT_EQ(value(Table(arrow::Decimal256Builder(arrow::decimal256(76, 0)), arrow::Decimal256(7))),
            "7");
  EXPECT_EQ(value(Table(arrow::Decimal32Builder(arrow::decimal32(7, 2)), arrow::Decimal32(-123))),
            "-1.23");
  EXPECT_EQ(value(Table(arrow::Decimal64Builder(arrow::decimal64(18, 2)), arrow::Decimal64(123))),
            "1.23");
  EXPECT_EQ(Encode(Bare({.null_marker = "-"}), Table(arrow::NullBuilder())), "-\n");
}

TEST(CsvFormat, O5FloatsAreFloatsToEveryReader) {
  const auto floats = Table(arrow::DoubleBuilder(), 14.0, -3.0, 0.5, 1e15, 1e16, -0.0);
  EXPECT_EQ(Encode(Bare({.null_marker = "-"}), floats),
            "14.0\n-3.0\n0.5\n1000000000000000.0\n1e+16\n-0.0\n-\n");
  const CsvOptions bare = Bare({.null_marker = "-", .whole_floats = WholeFloats::kBare});
  EXPECT_EQ(Encode(bare, floats), "14\n-3\n0.5\n1000000000000000\n1e+16\n-0\n-\n");
  // A decimal's digits are its own.
  EXPECT_EQ(Encode(bare, Table(arrow::Decimal128Builder(arrow::decimal128(5, 1)),
                               arrow::Decimal128(140))),
            "14.0\n-\n");
  EXPECT_EQ(Encode(Bare({.null_marker = "-", .quoting = Quoting::kAll}),
                   Table(arrow::FloatBuilder(), 14.0f, 0.1f)),
            "\"14.0\"\n\"0.1\"\n-\n");
}

TEST(CsvFormat, WritesDictionariesOfEveryIndex) {
  for (const auto& index :
       {arrow::int8(), arrow::int16(), arrow::int32(), arrow::int64(), arrow::uint8()}) {
    auto indices = arrow::MakeBuilder(index).ValueOrDie();
    ASSERT_TRUE(indices->AppendEmptyValues(2).ok());
    ASSERT_TRUE(indices->AppendNull().ok());
    arrow::Date32Builder dates;
    ASSERT_TRUE(dates.Append(20'119).ok());
    const auto array =
        arrow::DictionaryArray::FromArrays(*indices->Finish(), *dates.Finish()).ValueOrDie();
    EXPECT_EQ(Encode(Bare({.null_marker = "-"}), OneColumn(array)), "2025-01-31\n2025-01-31\n-\n");
  }
}

TEST(CsvFormat, WritesInstantsInTheAskedZone) {
  const auto pool = arrow::default_memory_pool();
  const auto table =
      Table(arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), pool),
            1'738'367'999'000'001);
  EXPECT_EQ(Encode(Bare({.null_marker = "-", .time_zone = "Europe/Vienna"}), table),
            "2025-02-01T00:59:59.000001+01:00\n-\n");
  EXPECT_EQ(Encode({.time_zone = "Europe/Viena"}, table),
            "refused: unknown time zone \"Europe/Viena\"; did you mean Europe/Vienna?");
}

TEST(CsvFormat, NamesTheRowOfATimeItCannotWrite) {
  const auto pool = arrow::default_memory_pool();
  const auto type = arrow::timestamp(arrow::TimeUnit::SECOND, "UTC");
  const auto good = Table(arrow::TimestampBuilder(type, pool), 0, 0);
  const auto bad = Table(arrow::TimestampBuilder(type, pool), 0, INT64_MAX);
  const auto format = *NewCsvFormat({});
  auto encoder = *format->NewEncoder(*good->schema(), {});
  Buffer out;
  ASSERT_TRUE(encoder->Append(*good, out).has_value());
  const auto appended = encoder->Append(*bad, out);
  ASSERT_FALSE(appended.has_value());
  EXPECT_EQ(appended.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(appended.error().message,
            "column \"value\", row 5: a year of more than nine digits; leave such rows out");
}

TEST(CsvFormat, RefusesWhatIsNoTable) {
  EXPECT_EQ(Encode({}, arrow::RecordBatch::Make(arrow::schema({}), 0, arrow::ArrayVector())),
            "refused: a CSV file needs at least one column");
  EXPECT_EQ(Encode({.line_end = ""}, TextTable({"x"})), "refused: csv line end: use CRLF or LF");
  const auto list = OneColumn(*arrow::MakeEmptyArray(arrow::list(arrow::int32())));
  EXPECT_EQ(Encode({}, list),
            "refused: column \"value\": no text for type list<item: int32>; leave the column out");
}

TEST(CsvFormat, WritesLongStringsAndManyBlocks) {
  std::vector<std::string> values;
  std::string expected;
  for (size_t i = 0; i < 3'000; ++i) {
    values.push_back(std::string(i % 1'000 == 0 ? 2'000'000 : i % 500 + 1, i % 3 == 0 ? '"' : 'x'));
    expected += i % 3 == 0 ? "\"" + std::string(2 * values.back().size(), '"') + "\"\n"
                           : values.back() + "\n";
  }
  EXPECT_TRUE(Encode(Bare(), TextTable(values)) == expected);
}

}  // namespace
}  // namespace spillway::format
