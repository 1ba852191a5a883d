#include "source/postgres/copy_decoder.h"

#include <random>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "batch/number_text.h"
#include "source/postgres/copy_bytes.h"

namespace spillway::postgres_source {
namespace {

constexpr uint32_t kInt4 = 23, kText = 25, kBool = 16, kDate = 1082, kTime = 1083,
                   kTimestamp = 1114, kNumeric = 1700, kUuid = 2950, kJsonb = 3802, kInet = 869,
                   kMoney = 790, kXml = 142;

int32_t NumericModifier(int32_t precision, int32_t scale) { return (precision << 16 | scale) + 4; }

std::vector<Column> Columns(std::initializer_list<uint32_t> types, int32_t modifier = -1) {
  std::vector<Column> columns;
  for (const uint32_t type : types)
    columns.push_back(
        ColumnOf("c" + std::to_string(columns.size() + 1), type, modifier, "its type", false));
  return columns;
}

struct Decoded {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  Result<> result;
};

Decoded Decode(const std::vector<Column>& columns, std::string_view bytes, size_t piece = 1 << 30,
               DecodeOptions options = {}) {
  Decoded decoded;
  CopyDecoder decoder(columns, options, [&](const arrow::RecordBatch& batch) -> Result<> {
    EXPECT_TRUE(batch.Validate().ok()) << batch.Validate().ToString();
    decoded.batches.push_back(batch.Slice(0));
    return {};
  });
  for (size_t at = 0; at < bytes.size() && decoded.result.has_value(); at += piece)
    decoded.result = decoder.Append(bytes.substr(at, piece));
  if (decoded.result.has_value()) decoded.result = decoder.Finish();
  return decoded;
}

std::string ErrorOf(const std::vector<Column>& columns, std::string_view bytes) {
  const Decoded decoded = Decode(columns, bytes);
  return decoded.result.has_value() ? "" : decoded.result.error().message;
}

TEST(CopyDecoder, CutsMakeNoDifference) {
  const auto columns = Columns({kInt4, kText, kBool, kUuid});
  CopyBytes copy;
  for (int32_t i = 0; i < 100; ++i) {
    copy.Row(4).Field(i);
    i % 7 == 0 ? copy.Null() : copy.Field(std::string(static_cast<size_t>(i), 'x'));
    i % 5 == 0 ? copy.Null() : copy.Field(std::string(1, static_cast<char>(i % 2)));
    copy.Field(std::string(16, static_cast<char>(i)));
  }
  copy.Trailer();
  const DecodeOptions options{.rows_per_batch = 32};
  const Decoded whole = Decode(columns, copy.bytes(), 1 << 30, options);
  ASSERT_TRUE(whole.result.has_value()) << whole.result.error().message;
  ASSERT_EQ(whole.batches.size(), 4U);
  for (size_t piece = 1; piece < 200; ++piece) {
    const Decoded cut = Decode(columns, copy.bytes(), piece, options);
    ASSERT_TRUE(cut.result.has_value()) << cut.result.error().message;
    ASSERT_EQ(cut.batches.size(), whole.batches.size());
    for (size_t i = 0; i < whole.batches.size(); ++i)
      ASSERT_TRUE(cut.batches[i]->Equals(*whole.batches[i])) << "pieces of " << piece;
  }
  EXPECT_EQ(whole.batches[0]->column(1)->null_count(), 5);
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*whole.batches[0]->column(3)).GetString(1),
            "01010101-0101-0101-0101-010101010101");
}

TEST(CopyDecoder, LongTextEndsABatch) {
  CopyBytes copy;
  for (int i = 0; i < 10; ++i) copy.Row(1).Field(std::string(1000, 'x'));
  copy.Trailer();
  const Decoded decoded = Decode(Columns({kText}), copy.bytes(), 1 << 30, {.text_per_batch = 2500});
  ASSERT_TRUE(decoded.result.has_value());
  ASSERT_EQ(decoded.batches.size(), 4U);
  EXPECT_EQ(decoded.batches[0]->num_rows(), 3);
  EXPECT_EQ(decoded.batches[3]->num_rows(), 1);
}

TEST(CopyDecoder, NoRowsAreNoBatch) {
  const Decoded decoded = Decode(Columns({kText}), CopyBytes().Trailer().bytes());
  EXPECT_TRUE(decoded.result.has_value());
  EXPECT_TRUE(decoded.batches.empty());
}

TEST(CopyDecoder, RefusesWhatIsNoCopy) {
  const auto columns = Columns({kInt4});
  EXPECT_EQ(
      ErrorOf(columns, "id,name\n"),
      "the server's COPY data is damaged at row 1: it does not begin as COPY's binary format does");
  EXPECT_EQ(ErrorOf(columns, CopyBytes().Row(1).Field(int32_t{1}).bytes()),
            "the server's COPY data is damaged at row 2: it stops before its end");
  EXPECT_EQ(ErrorOf(columns, CopyBytes().Trailer().Trailer().bytes()),
            "the server's COPY data is damaged at row 1: there are bytes after its end");
  EXPECT_EQ(ErrorOf(columns, CopyBytes().Row(2).bytes()),
            "the server's COPY data is damaged at row 1: 2 fields for 1 columns");
  EXPECT_EQ(ErrorOf(columns, CopyBytes().Row(1).Number(int32_t{-2}).bytes()),
            "the server's COPY data is damaged at row 1: a field of -2 bytes");
  EXPECT_EQ(ErrorOf(columns, CopyBytes().Row(1).Field(int16_t{1}).bytes()),
            "the server's COPY data is damaged at row 1: column \"c1\" has 2 bytes, which no its "
            "type has");
  EXPECT_EQ(ErrorOf(Columns({kJsonb}), CopyBytes().Row(1).Field("\2{}").bytes()),
            "the server's COPY data is damaged at row 1: column \"c1\" is no its type");
}

// Prefixes stop early; changed bytes are refused or are other values, never a crash.
TEST(CopyDecoder, SurvivesDamage) {
  const auto columns =
      Columns({kInt4, kText, kNumeric, kDate, kTimestamp, kUuid, kJsonb}, NumericModifier(10, 2));
  CopyBytes copy;
  for (int32_t i = 0; i < 3; ++i) {
    copy.Row(7).Field(i).Field("text");
    copy.Number(int32_t{12})
        .Number(int16_t{2})
        .Number(int16_t{0})
        .Number(int16_t{0})
        .Number(int16_t{2});
    copy.Number(int16_t{1}).Number(int16_t{5000});
    copy.Field(i).Field(int64_t{i}).Field(std::string(16, 'u')).Field("\1{}");
  }
  copy.Trailer();
  ASSERT_TRUE(Decode(columns, copy.bytes()).result.has_value());
  for (size_t size = 0; size < copy.bytes().size(); ++size)
    EXPECT_FALSE(Decode(columns, copy.bytes().substr(0, size)).result.has_value()) << size;
  std::mt19937_64 random(4);
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = copy.bytes();
    for (int k = 0; k < 3; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    static_cast<void>(Decode(columns, damaged));
  }
}

TEST(CopyDecoder, NamesColumnRowAndRemedyOfValuesThatDoNotFit) {
  const auto numeric = Columns({kInt4, kNumeric}, NumericModifier(10, 2));
  const std::string nan("\0\0\0\0\xC0\0\0\0", 8);
  EXPECT_EQ(
      ErrorOf(
          numeric,
          CopyBytes().Row(2).Field(int32_t{1}).Null().Row(2).Field(int32_t{2}).Field(nan).bytes()),
      "column \"c2\", row 2: NaN has no place in decimal128(10, 2); leave such rows out, or "
      "write in a query nullif(\"c2\", 'NaN') to have null, or \"c2\"::text to have text");
  EXPECT_EQ(ErrorOf(Columns({kDate}), CopyBytes().Row(1).Field(INT32_MAX).bytes()),
            "column \"c1\", row 1: infinity has no place in date32[day]; leave such rows out, or "
            "write in a query CASE WHEN isfinite(\"c1\") THEN \"c1\" END to have null, or "
            "\"c1\"::text to have text");
  EXPECT_NE(
      ErrorOf(Columns({kTimestamp}), CopyBytes().Row(1).Field(INT64_MIN).bytes()).find("infinity"),
      std::string::npos);
  EXPECT_NE(ErrorOf(Columns({kTimestamp}), CopyBytes().Row(1).Field(INT64_MAX - 1).bytes())
                .find("cannot hold"),
            std::string::npos);
  EXPECT_EQ(ErrorOf(Columns({kTime}), CopyBytes().Row(1).Field(int64_t{86'400'000'000}).bytes()),
            "column \"c1\", row 1: 24:00:00 has no place in time64[us]; leave such rows out, or "
            "write in a query nullif(\"c1\", '24:00') to have null, or \"c1\"::text to have text");
}

TEST(CopyDecoder, ChecksTextWhereNobodyElseDid) {
  const auto columns = Columns({kInt4, kText});
  const DecodeOptions options{.check_text = true};
  const auto of = [](std::string_view first, std::string_view second) {
    return CopyBytes()
        .Row(2)
        .Field(int32_t{1})
        .Field(first)
        .Row(2)
        .Field(int32_t{2})
        .Field(second)
        .Trailer()
        .bytes();
  };
  EXPECT_TRUE(Decode(columns, of("gr\xC3\xBCn", ""), 7, options).result.has_value());
  EXPECT_TRUE(Decode(columns, of("a", "gr\xFCn"), 7).result.has_value());
  const Decoded latin = Decode(columns, of("a", "gr\xFCn"), 7, options);
  ASSERT_FALSE(latin.result.has_value());
  EXPECT_EQ(latin.result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(latin.result.error().message.starts_with(
      "column \"c2\", row 2: text that is not UTF-8, in a database whose encoding SQL_ASCII"))
      << latin.result.error().message;
  // Two halves of a character in neighbouring rows are two faults.
  EXPECT_FALSE(Decode(columns, of("\xC3", "\xBC"), 7, options).result.has_value());
}

TEST(Column, E05NumbersThatAreTextAreKnownAsNumbers) {
  const auto is_number = [](uint32_t type, int32_t modifier) {
    const auto schema = SchemaOf({ColumnOf("c", type, modifier, "", false)});
    return batch::IsNumberText(*schema->field(0));
  };
  EXPECT_TRUE(is_number(kNumeric, -1));
  EXPECT_TRUE(is_number(kNumeric, NumericModifier(100, 2)));
  EXPECT_TRUE(is_number(kMoney, -1));
  EXPECT_FALSE(is_number(kNumeric, NumericModifier(10, 2)));
  EXPECT_FALSE(is_number(kText, -1));
  EXPECT_FALSE(is_number(kInet, -1));
}

TEST(Column, OthersAreSpelledOutByTheServer) {
  EXPECT_TRUE(ColumnOf("c", kInet, -1, "inet", false).cast_to_text);
  EXPECT_TRUE(ColumnOf("c", kNumeric, -1, "numeric", false).cast_to_text);
  EXPECT_TRUE(
      ColumnOf("c", kNumeric, NumericModifier(100, 2), "numeric(100,2)", false).cast_to_text);
  EXPECT_FALSE(ColumnOf("c", 99'999, -1, "mood", true).cast_to_text);
  EXPECT_TRUE(ColumnOf("c", 99'999, -1, "other", false).cast_to_text);
  // xml is sent as PostgreSQL writes it; the cast would keep the encoding that its author declared.
  EXPECT_FALSE(ColumnOf("c", kXml, -1, "xml", false).cast_to_text);
  EXPECT_EQ(ColumnOf("c", kNumeric, NumericModifier(76, 0), "", false).arrow_type->ToString(),
            "decimal256(76, 0)");
}

}  // namespace
}  // namespace spillway::postgres_source
