#include <algorithm>
#include <set>
#include <string>
#include <vector>

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

constexpr int64_t kBytesPerGroup = 128 << 20;

/// A file of these batches, of which there is one at least.
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

/// The rows of each group.
std::vector<int64_t> GroupsOf(parquet::arrow::FileReader& reader) {
  std::vector<int64_t> rows;
  const auto metadata = reader.parquet_reader()->metadata();
  for (int i = 0; i < metadata->num_row_groups(); ++i)
    rows.push_back(metadata->RowGroup(i)->num_rows());
  return rows;
}

/// Reads back what was written; the zone of the schema aside, which the format notes.
void ExpectReadBack(parquet::arrow::FileReader& reader, const arrow::RecordBatchVector& batches) {
  const auto read = reader.ReadTable().ValueOrDie();
  ASSERT_TRUE(read->ValidateFull().ok());
  const auto written = arrow::Table::FromRecordBatches(read->schema(), batches).ValueOrDie();
  EXPECT_TRUE(read->Equals(*written));
}

std::shared_ptr<arrow::RecordBatch> Texts(const std::vector<std::string>& texts) {
  arrow::StringBuilder builder;
  EXPECT_TRUE(builder.AppendValues(texts).ok());
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("text", arrow::utf8())}),
                                  static_cast<int64_t>(texts.size()), {*builder.Finish()});
}

/// Numbers without a bitmap of the absent ones: eight bytes a row.
std::shared_ptr<arrow::RecordBatch> Numbers(int64_t rows) {
  std::shared_ptr<arrow::Buffer> bytes = arrow::AllocateBuffer(rows * 8).ValueOrDie();
  auto* numbers = reinterpret_cast<int64_t*>(bytes->mutable_data());
  for (int64_t row = 0; row < rows; ++row) numbers[row] = row;
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("number", arrow::int64())}), rows,
                                  {std::make_shared<arrow::Int64Array>(rows, std::move(bytes))});
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

TEST(ParquetFormat, AGroupThatIsFullAtABatchesEndHasNoEmptyOneAfterIt) {
  const auto table = SampleTable(200);
  const arrow::RecordBatchVector batches = {table->Slice(0, 60), table->Slice(60, 40),
                                            table->Slice(100, 100)};
  const auto reader = Encoded({.rows_per_group = 100}, batches);
  EXPECT_EQ(GroupsOf(*reader), (std::vector<int64_t>{100, 100}));
  ExpectReadBack(*reader, batches);
}

TEST(ParquetFormat, ABatchMayBeOfManyGroups) {
  const auto table = SampleTable(1'000);
  const arrow::RecordBatchVector batches = {table->Slice(0, 30), table->Slice(30, 930),
                                            table->Slice(960)};
  const auto reader = Encoded({.rows_per_group = 200}, batches);
  EXPECT_EQ(GroupsOf(*reader), std::vector<int64_t>(5, 200));
  ExpectReadBack(*reader, batches);
}

TEST(ParquetFormat, OneRowIsAGroupAndNoRowIsNone) {
  const auto one = Encoded({.rows_per_group = 1}, {SampleTable(1)});
  EXPECT_EQ(GroupsOf(*one), std::vector<int64_t>{1});
  ExpectReadBack(*one, {SampleTable(1)});
  const auto none = Encoded({}, {SampleTable(0)});
  EXPECT_EQ(GroupsOf(*none), std::vector<int64_t>());
  EXPECT_EQ(none->ReadTable().ValueOrDie()->num_columns(), SampleTable(0)->num_columns());
  const auto singles =
      Encoded({.rows_per_group = 1}, {SampleTable(3)->Slice(0, 2), SampleTable(3)->Slice(2)});
  EXPECT_EQ(GroupsOf(*singles), std::vector<int64_t>(3, 1));
}

TEST(ParquetFormat, AGroupIsFullToTheByteAndNotBeyond) {
  const auto batch = Numbers(1 << 20);
  const arrow::RecordBatchVector batches(kBytesPerGroup / (8 << 20) + 1, batch);
  const auto reader = Encoded({.rows_per_group = 1 << 30}, batches);
  EXPECT_EQ(GroupsOf(*reader), (std::vector<int64_t>{kBytesPerGroup / 8, 1 << 20}));
  ExpectReadBack(*reader, batches);
}

TEST(ParquetFormat, ALongTextStandsBesideShortOnes) {
  std::vector<std::string> texts(600, "short");
  for (size_t i = 0; i < texts.size(); ++i) texts[i] += std::to_string(i);
  texts[300] = std::string(10 << 20, 'x') + "end";
  const auto batch = Texts(texts);
  const arrow::RecordBatchVector batches = {batch->Slice(0, 300), batch->Slice(300, 1),
                                            batch->Slice(301)};
  for (const int64_t rows_per_group : {131'072, 301, 300}) {
    const auto reader = Encoded({.rows_per_group = rows_per_group}, batches);
    ExpectReadBack(*reader, batches);
  }
}

TEST(ParquetFormat, ColumnsMayHaveNoValueAtAll) {
  const auto schema =
      arrow::schema({arrow::field("text", arrow::utf8()), arrow::field("number", arrow::int64()),
                     arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                     arrow::field("nothing", arrow::null())});
  arrow::ArrayVector columns;
  for (const auto& field : schema->fields())
    columns.push_back(arrow::MakeArrayOfNull(field->type(), 500).ValueOrDie());
  const auto batch = arrow::RecordBatch::Make(schema, 500, columns);
  const arrow::RecordBatchVector batches = {batch, batch->Slice(0, 300)};
  const auto reader = Encoded({.rows_per_group = 400}, batches);
  EXPECT_EQ(GroupsOf(*reader), (std::vector<int64_t>{400, 400}));
  ExpectReadBack(*reader, batches);
}

TEST(ParquetFormat, ADictionaryThatGrowsTooLargeIsGivenUpInTheMiddleOfAGroup) {
  std::vector<std::string> repeated(1'000, "again and again");
  std::vector<std::string> unique;
  for (int i = 0; i < 40'000; ++i)
    unique.push_back("a text that does not come again: " + std::to_string(i));
  const arrow::RecordBatchVector batches = {Texts(repeated), Texts(unique)};
  const auto reader = Encoded({}, batches);
  EXPECT_EQ(GroupsOf(*reader), std::vector<int64_t>{41'000});
  const auto column = reader->parquet_reader()->metadata()->RowGroup(0)->ColumnChunk(0);
  EXPECT_TRUE(column->has_dictionary_page());
  std::set<parquet::Encoding::type> of_pages;
  for (const auto& stats : column->encoding_stats()) {
    if (stats.page_type == parquet::PageType::DATA_PAGE) of_pages.insert(stats.encoding);
  }
  EXPECT_THAT(of_pages,
              testing::ElementsAre(parquet::Encoding::PLAIN, parquet::Encoding::RLE_DICTIONARY));
  ExpectReadBack(*reader, batches);
}

/// What waits for its group to be full: as many batches as fit into one.
TEST(ParquetFormat, HoldsOneRowGroup) {
  const auto format = *NewParquetFormat({.rows_per_group = 1 << 30});
  auto encoder = *format->NewEncoder(*Numbers(0)->schema(), {});
  Buffer out;
  int64_t most = 0;
  const int64_t before = arrow::default_memory_pool()->bytes_allocated();
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(encoder->Append(*Numbers(1 << 20), out).has_value());
    out.Clear();
    most = std::max(most, arrow::default_memory_pool()->bytes_allocated() - before);
  }
  EXPECT_GE(most, kBytesPerGroup);
  EXPECT_LT(most, kBytesPerGroup + (8 << 20)) << "more than a group waits";
  ASSERT_TRUE(encoder->Finish(out).has_value());
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
