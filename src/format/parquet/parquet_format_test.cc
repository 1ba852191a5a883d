#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>
#include <parquet/metadata.h>

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
