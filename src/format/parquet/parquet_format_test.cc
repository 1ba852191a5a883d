#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>
#include <parquet/metadata.h>

#include "batch/number_text.h"
#include "format/format.h"
#include "format/sample_table.h"

namespace spillway::format {
namespace {

std::unique_ptr<parquet::arrow::FileReader> Encoded(const ParquetOptions& options,
                                                    const arrow::RecordBatchVector& batches) {
  const auto format = *NewParquetFormat(options);
  auto encoder = *format->NewEncoder(*batches[0]->schema(), {});
  Buffer out;
  for (const auto& batch : batches) EXPECT_TRUE(encoder->Append(*batch, out).has_value());
  EXPECT_TRUE(encoder->Finish(out).has_value());
  auto input =
      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::string(out.view())));
  return parquet::arrow::OpenFile(input, arrow::default_memory_pool()).ValueOrDie();
}

TEST(ParquetFormat, NotesTheZoneInTheSchema) {
  const auto reader = Encoded({.time_zone = "Europe/Vienna"}, {SampleTable(10)});
  const auto table = reader->ReadTable().ValueOrDie();
  EXPECT_TRUE(table->schema()->GetFieldByName("at")->type()->Equals(
      arrow::timestamp(arrow::TimeUnit::MICRO, "Europe/Vienna")))
      << table->schema()->ToString();
  EXPECT_EQ(static_cast<const arrow::TimestampScalar&>(**table->GetColumnByName("at")->GetScalar(1))
                .value,
            1'738'367'999'000'001);
}

TEST(ParquetFormat, CutsRowGroupsAcrossBatches) {
  const auto table = SampleTable(1'000);
  const auto reader = Encoded({.rows_per_group = 300},
                              {table->Slice(0, 250), table->Slice(250, 250), table->Slice(500)});
  const auto metadata = reader->parquet_reader()->metadata();
  ASSERT_EQ(metadata->num_row_groups(), 4);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(metadata->RowGroup(i)->num_rows(), 300);
  EXPECT_EQ(metadata->RowGroup(3)->num_rows(), 100);
}

TEST(ParquetFormat, R05WideRowsEndARowGroupSooner) {
  arrow::StringBuilder builder;
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(builder.Append(std::string(1 << 20, 'x')).ok());
  const auto batch = arrow::RecordBatch::Make(arrow::schema({arrow::field("doc", arrow::utf8())}),
                                              16, {*builder.Finish()});
  // Also where the number of rows ends a group just then, none is without rows.
  for (const int64_t rows_per_group : {131'072, 112, 100}) {
    const auto reader =
        Encoded({.rows_per_group = rows_per_group}, arrow::RecordBatchVector(20, batch));
    const auto metadata = reader->parquet_reader()->metadata();
    EXPECT_EQ(metadata->num_rows(), 320);
    EXPECT_GE(metadata->num_row_groups(), 3);
    for (int i = 0; i < metadata->num_row_groups(); ++i) {
      EXPECT_GT(metadata->RowGroup(i)->num_rows(), 0);
      EXPECT_LE(metadata->RowGroup(i)->num_rows(), 128);
    }
  }
}

TEST(ParquetFormat, HasStatisticsPageIndexAndZstd) {
  const auto reader = Encoded({}, {SampleTable(100)});
  const auto group = reader->parquet_reader()->metadata()->RowGroup(0);
  for (int i = 0; i < group->num_columns(); ++i) {
    const auto column = group->ColumnChunk(i);
    EXPECT_EQ(column->compression(), parquet::Compression::ZSTD);
    EXPECT_TRUE(column->is_stats_set()) << i;
    EXPECT_TRUE(column->GetOffsetIndexLocation().has_value()) << i;
    EXPECT_TRUE(column->GetColumnIndexLocation().has_value()) << i;
  }
}

TEST(ParquetFormat, WritesTextsThatDoNotRepeatWithTheirLengthsApart) {
  arrow::StringBuilder unique;
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(unique.Append("value " + std::to_string(i)).ok());
  const auto table = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("unique", arrow::utf8())}), 1'000, {*unique.Finish()});
  const auto reader = Encoded({}, {table});
  const auto encodings =
      reader->parquet_reader()->metadata()->RowGroup(0)->ColumnChunk(0)->encodings();
  EXPECT_THAT(encodings, testing::Contains(parquet::Encoding::DELTA_LENGTH_BYTE_ARRAY));
  EXPECT_THAT(encodings, testing::Not(testing::Contains(parquet::Encoding::PLAIN)));
  EXPECT_TRUE(reader->ReadTable().ValueOrDie()->Equals(
      *arrow::Table::FromRecordBatches({table}).ValueOrDie()));
}

TEST(ParquetFormat, BuildsDictionariesOnlyWhereValuesRepeat) {
  arrow::StringBuilder unique, repeated;
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(unique.Append("value " + std::to_string(i)).ok());
    ASSERT_TRUE(repeated.Append("value " + std::to_string(i % 10)).ok());
  }
  const auto schema = arrow::schema(
      {arrow::field("all.unique", arrow::utf8()), arrow::field("repeated", arrow::utf8())});
  const auto table =
      arrow::RecordBatch::Make(schema, 1'000, {*unique.Finish(), *repeated.Finish()});
  const auto reader = Encoded({}, {table});
  const auto group = reader->parquet_reader()->metadata()->RowGroup(0);
  EXPECT_FALSE(group->ColumnChunk(0)->has_dictionary_page());
  EXPECT_TRUE(group->ColumnChunk(1)->has_dictionary_page());
  EXPECT_TRUE(reader->ReadTable().ValueOrDie()->Equals(
      *arrow::Table::FromRecordBatches({table}).ValueOrDie()));
}

TEST(ParquetFormat, HandsOutRowGroupsAsTheyAreFull) {
  const auto format = *NewParquetFormat({.rows_per_group = 100});
  const auto table = SampleTable(100);
  auto encoder = *format->NewEncoder(*table->schema(), {});
  Buffer out;
  size_t largest = 0;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(encoder->Append(*table, out).has_value());
    largest = std::max(largest, out.size());
    out.Clear();
  }
  ASSERT_TRUE(encoder->Finish(out).has_value());
  EXPECT_GT(largest, 0u);
  EXPECT_LT(largest, 50'000u);
}

TEST(ParquetFormat, SameRowsSameBytes) {
  const auto format = *NewParquetFormat({});
  std::string files[2];
  for (std::string& file : files) {
    auto encoder = *format->NewEncoder(*SampleTable(1)->schema(), {});
    Buffer out;
    ASSERT_TRUE(encoder->Append(*SampleTable(500), out).has_value());
    ASSERT_TRUE(encoder->Finish(out).has_value());
    file = out.view();
  }
  EXPECT_EQ(files[0], files[1]);
}

TEST(ParquetFormat, E03RefusesNamesThatAreNotDifferent) {
  const auto refusal = [](const std::vector<std::string>& names) -> std::string {
    arrow::FieldVector fields;
    for (const std::string& name : names) fields.push_back(arrow::field(name, arrow::int64()));
    const auto encoder = (*NewParquetFormat({}))->NewEncoder(*arrow::schema(fields), {});
    return encoder.has_value() ? "" : encoder.error().message;
  };
  EXPECT_EQ(refusal({"a", "b", "a"}), "two columns are named \"a\"; Parquet needs different names");
  EXPECT_EQ(refusal({"", ""}), "two columns are named \"\"; Parquet needs different names");
  EXPECT_EQ(refusal({"a", "\xff"}), "column 2: its name is not valid UTF-8");
  // As PostgreSQL has them; DuckDB calls the second A_1, the others leave it.
  EXPECT_EQ(refusal({"a", "A", "a.b"}), "");
}

TEST(ParquetFormat, N2WideDecimalsAreText) {
  arrow::Decimal256Builder wide(arrow::decimal256(76, 30)), narrow(arrow::decimal256(38, 2));
  const arrow::Decimal256 most(std::string(46, '9') + "." + std::string(30, '9'));
  for (const arrow::Decimal256& value :
       {most, arrow::Decimal256(-most), arrow::Decimal256(0), arrow::Decimal256(-7)}) {
    ASSERT_TRUE(wide.Append(value).ok() && narrow.Append(arrow::Decimal256(-525)).ok());
  }
  ASSERT_TRUE(wide.AppendNull().ok() && narrow.AppendNull().ok());
  const auto schema = arrow::schema({arrow::field("wide", arrow::decimal256(76, 30)),
                                     arrow::field("narrow", arrow::decimal256(38, 2))});
  const auto batch = arrow::RecordBatch::Make(schema, 5, {*wide.Finish(), *narrow.Finish()});
  const auto table = Encoded({}, {batch->Slice(0, 1), batch->Slice(1)})->ReadTable().ValueOrDie();
  EXPECT_EQ(table->schema()->field(0)->type()->ToString(), "string");
  EXPECT_TRUE(batch::IsNumberText(*table->schema()->field(0)));
  EXPECT_EQ(table->schema()->field(1)->type()->ToString(), "decimal256(38, 2)");
  const auto text = table->column(0);
  const std::string digits = std::string(46, '9') + "." + std::string(30, '9');
  EXPECT_EQ((*text->GetScalar(0))->ToString(), digits);
  EXPECT_EQ((*text->GetScalar(1))->ToString(), "-" + digits);
  EXPECT_EQ((*text->GetScalar(2))->ToString(), "0." + std::string(30, '0'));
  EXPECT_EQ((*text->GetScalar(3))->ToString(), "-0." + std::string(29, '0') + "7");
  EXPECT_FALSE((*text->GetScalar(4))->is_valid);
}

TEST(ParquetFormat, N4HigherLevelsAreSmaller) {
  const auto bytes = [](int level) {
    const auto format = *NewParquetFormat({.zstd_level = level});
    const auto table = SampleTable(20'000);
    auto encoder = *format->NewEncoder(*table->schema(), {});
    Buffer out;
    EXPECT_TRUE(encoder->Append(*table, out).has_value() && encoder->Finish(out).has_value());
    return out.size();
  };
  EXPECT_LT(bytes(19), bytes(1));
}

TEST(ParquetFormat, RefusesOptionsThatDoNotExist) {
  EXPECT_EQ(NewParquetFormat({.rows_per_group = 0}).error().message,
            "parquet: a row group has at least one row");
  EXPECT_EQ(NewParquetFormat({.zstd_level = 99}).error().message,
            "parquet: zstd level 99 does not exist; use 1 (fast) to 19 (small)");
  EXPECT_EQ(NewParquetFormat({.time_zone = "Nowhere/Land"}).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace spillway::format
