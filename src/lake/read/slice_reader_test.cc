#include "lake/read/slice_reader.h"

#include <limits>
#include <random>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/properties.h>

#include "lake/sample_lake.h"

namespace spillway::lake {
namespace {

constexpr int64_t kStart = 1'743'120'000'000'000;

/// Arrays of every type a lake may have, with nulls where the field may be null.
class EveryType {
 public:
  EveryType(std::mt19937_64& random, int64_t rows, int64_t different)
      : random_(random), rows_(rows), different_(different) {
    times_.resize(rows);
    for (int64_t i = 0; i < rows; ++i) times_[i] = kStart + i;
    arrow::TimestampBuilder time(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                 arrow::default_memory_pool());
    EXPECT_TRUE(time.AppendValues(times_).ok());
    Add("time", time.type(), *time.Finish(), false);
    AddTexts("text", arrow::utf8());
    AddTexts("bytes", arrow::binary());
    AddFixed("flag", arrow::boolean(), [](int64_t n) { return n % 2 == 0; });
    AddFixed("small", arrow::int32(), [](int64_t n) { return static_cast<int32_t>(n * -7919); });
    AddFixed("large", arrow::int64(), [](int64_t n) { return n << 44 ^ n; });
    AddFixed("single", arrow::float32(), [](int64_t n) { return static_cast<float>(n) / 3; });
    AddFixed("double", arrow::float64(), [](int64_t n) {
      return n % 5 == 0 ? std::numeric_limits<double>::infinity() : static_cast<double>(n) / 3;
    });
    AddFixed("date", arrow::date32(), [](int64_t n) { return static_cast<int32_t>(n - 7); });
    AddFixed("local", arrow::timestamp(arrow::TimeUnit::MICRO), [](int64_t n) { return n - 50; });
    for (const int precision : {4, 15, 33}) {
      AddFixed("decimal" + std::to_string(precision), arrow::decimal128(precision, 2),
               [](int64_t n) { return arrow::Decimal128((n - 100) * 37 % 9999); });
    }
  }

  std::shared_ptr<arrow::RecordBatch> batch() const {
    return arrow::RecordBatch::Make(arrow::schema(fields_), rows_, columns_);
  }
  std::span<const int64_t> times() const { return times_; }

 private:
  void Add(const std::string& name, std::shared_ptr<arrow::DataType> type,
           std::shared_ptr<arrow::Array> values, bool nullable = true) {
    fields_.push_back(arrow::field(name, std::move(type), nullable));
    columns_.push_back(std::move(values));
  }

  /// Calls `value(n)` or `null()` for each row; every third column has no null but may.
  template <class Value, class Null>
  void ForRows(Value value, Null null) {
    const auto nulls = random_() % 3;
    for (int64_t i = 0; i < rows_; ++i) {
      const bool is_null = nulls == 1 ? random_() % 4 == 0 : nulls == 2 && i / 700 % 2 == 0;
      const auto n = static_cast<int64_t>(random_() % static_cast<uint64_t>(different_));
      EXPECT_TRUE((is_null ? null() : value(n)).ok());
    }
  }

  template <class MakeValue>
  void AddFixed(const std::string& name, const std::shared_ptr<arrow::DataType>& type,
                MakeValue make) {
    auto builder = *arrow::MakeBuilder(type);
    ForRows([&](int64_t n) { return builder->AppendScalar(**arrow::MakeScalar(type, make(n))); },
            [&] { return builder->AppendNull(); });
    Add(name, type, *builder->Finish());
  }

  void AddTexts(const std::string& name, const std::shared_ptr<arrow::DataType>& type) {
    auto builder = *arrow::MakeBuilder(type);
    auto& texts = static_cast<arrow::BinaryBuilder&>(*builder);
    ForRows([&](int64_t n) { return texts.Append(std::string(n % 300, 'a') + std::to_string(n)); },
            [&] { return texts.AppendNull(); });
    Add(name, type, *builder->Finish());
  }

  std::mt19937_64& random_;
  const int64_t rows_;
  const int64_t different_;
  std::vector<int64_t> times_;
  arrow::FieldVector fields_;
  arrow::ArrayVector columns_;
};

/// Reads the file in the slice and holds it against rows [from, from + count) of the batch.
void ExpectReads(SampleLake& lake, const DataFile& file, const arrow::RecordBatch& expected,
                 int64_t from, int64_t count, int64_t skip) {
  const auto unit = WholeFile(file);
  const Timestamp begin = unit.range.begin + std::chrono::microseconds(from);
  auto reader = SliceReader::Open(
      lake.store(), unit.slices[0], {begin, begin + std::chrono::microseconds(count)},
      {.schema = expected.schema(), .time_index = 0}, *arrow::default_memory_pool(), {});
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  (*reader)->Skip(skip);
  int64_t row = from + skip;
  while (true) {
    const auto batch = (*reader)->Next();
    ASSERT_TRUE(batch.has_value()) << batch.error().message;
    if (*batch == nullptr) break;
    ASSERT_TRUE((*batch)->ValidateFull().ok()) << (*batch)->ValidateFull().message();
    for (int i = 0; i < expected.num_columns(); ++i) {
      const auto there = expected.column(i)->Slice(row, (*batch)->num_rows());
      ASSERT_TRUE((*batch)->column(i)->Equals(there))
          << expected.schema()->field(i)->ToString() << " at " << row;
      ASSERT_EQ((*batch)->column(i)->null_count(), there->null_count());
    }
    EXPECT_EQ((*reader)->times()[0], kStart + row);
    row += (*batch)->num_rows();
  }
  EXPECT_EQ(row, from + count);
}

struct Written {
  std::string name;
  std::function<void(parquet::WriterProperties::Builder&)> set;
};

class EveryForm : public testing::TestWithParam<Written> {};

TEST_P(EveryForm, ReadsAsWritten) {
  for (int seed = 0; seed < 4; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const int64_t rows = 1 + static_cast<int64_t>(random() % 40'000);
    // Few values fit a dictionary; of many it overflows in the middle.
    const EveryType every(random, rows, seed % 2 == 0 ? 50 : 100'000);
    parquet::WriterProperties::Builder builder;
    builder.compression(arrow::Compression::ZSTD)
        ->data_pagesize(seed % 3 == 0 ? 3000 : 100'000)
        ->dictionary_pagesize_limit(20'000)
        ->enable_store_decimal_as_integer();
    GetParam().set(builder);
    SampleLake lake;
    const auto file = lake.PutColumns("f", *every.batch(), every.times(),
                                      1 + static_cast<int64_t>(random() % 30'000), builder.build());
    ExpectReads(lake, file, *every.batch(), 0, rows, 0);
    const int64_t from = static_cast<int64_t>(random() % static_cast<uint64_t>(rows));
    const int64_t count = 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(rows - from));
    ExpectReads(lake, file, *every.batch(), from, count, 0);
    ExpectReads(lake, file, *every.batch(), from, count,
                static_cast<int64_t>(random() % static_cast<uint64_t>(count)));
    if (HasFailure()) return;
  }
}

using Builder = parquet::WriterProperties::Builder;

INSTANTIATE_TEST_SUITE_P(
    Parquet, EveryForm,
    testing::Values(
        Written{"Zstd", [](Builder&) {}},
        Written{"Plain", [](Builder& b) { b.disable_dictionary(); }},
        Written{"Uncompressed",
                [](Builder& b) { b.compression(arrow::Compression::UNCOMPRESSED); }},
        Written{"Snappy", [](Builder& b) { b.compression(arrow::Compression::SNAPPY); }},
        Written{"Gzip", [](Builder& b) { b.compression(arrow::Compression::GZIP); }},
        Written{"Checksums", [](Builder& b) { b.enable_page_checksum(); }},
        Written{"PageV2",
                [](Builder& b) { b.data_page_version(parquet::ParquetDataPageVersion::V2); }},
        Written{"PageV2Uncompressed",
                [](Builder& b) {
                  b.data_page_version(parquet::ParquetDataPageVersion::V2)
                      ->compression(arrow::Compression::UNCOMPRESSED)
                      ->disable_dictionary();
                }},
        Written{"BytesDecimals", [](Builder& b) { b.disable_store_decimal_as_integer(); }},
        Written{"Delta",
                [](Builder& b) {
                  b.disable_dictionary()
                      ->encoding("time", parquet::Encoding::DELTA_BINARY_PACKED)
                      ->encoding("small", parquet::Encoding::DELTA_BINARY_PACKED)
                      ->encoding("large", parquet::Encoding::DELTA_BINARY_PACKED)
                      ->encoding("text", parquet::Encoding::DELTA_BYTE_ARRAY)
                      ->encoding("bytes", parquet::Encoding::DELTA_LENGTH_BYTE_ARRAY)
                      ->encoding("flag", parquet::Encoding::RLE)
                      ->encoding("double", parquet::Encoding::BYTE_STREAM_SPLIT)
                      ->encoding("single", parquet::Encoding::BYTE_STREAM_SPLIT);
                }}),
    [](const auto& info) { return info.param.name; });

TEST(SliceReaderTest, SkipsPagesWithoutOpeningThem) {
  std::mt19937_64 random(1);
  const EveryType every(random, 20'000, 100'000);
  SampleLake lake;
  const auto file = lake.PutColumns(
      "f", *every.batch(), every.times(), 20'000,
      Builder().disable_dictionary()->data_pagesize(10'000)->enable_page_checksum()->build());
  // What is broken in the first pages of a column is not noticed when only the last are wanted.
  std::string bytes = lake.Bytes("f");
  const size_t in_text = bytes.size() / 4;
  bytes[in_text] = static_cast<char>(bytes[in_text] + 1);
  lake.PutBytes("f", bytes);
  ExpectReads(lake, file, *every.batch(), 19'990, 10, 0);
  auto unit = WholeFile(file);
  auto reader =
      SliceReader::Open(lake.store(), unit.slices[0], unit.range,
                        {.schema = every.batch()->schema()}, *arrow::default_memory_pool(), {});
  ASSERT_TRUE(reader.has_value());
  Result<std::shared_ptr<arrow::RecordBatch>> batch;
  do batch = (*reader)->Next();
  while (batch.has_value() && *batch != nullptr);
  ASSERT_FALSE(batch.has_value());
  EXPECT_EQ(batch.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(batch.error().message, testing::HasSubstr("its checksum"));
}

TEST(SliceReaderTest, BrokenPagesAreErrorsOrOtherValues) {
  // Without checksums a changed value may go unnoticed, but nothing else may happen.
  for (const bool compressed : {false, true}) {
    std::mt19937_64 random(7);
    const EveryType every(random, 3000, 60);
    SampleLake lake;
    const auto file = lake.PutColumns(
        "f", *every.batch(), every.times(), 1000,
        Builder()
            .compression(compressed ? arrow::Compression::ZSTD : arrow::Compression::UNCOMPRESSED)
            ->data_pagesize(2000)
            ->build());
    const std::string bytes = lake.Bytes("f");
    const auto unit = WholeFile(file);
    for (int seed = 0; seed < 300; ++seed) {
      std::string broken = bytes;
      for (int i = static_cast<int>(random() % 4); i >= 0; --i) {
        broken[random() % broken.size()] = static_cast<char>(random());
      }
      lake.PutBytes("f", broken);
      auto reader = SliceReader::Open(lake.store(), unit.slices[0], unit.range,
                                      {.schema = every.batch()->schema(), .time_index = 0},
                                      *arrow::default_memory_pool(), {});
      while (reader.has_value()) {
        const auto batch = (*reader)->Next();
        if (!batch.has_value() || *batch == nullptr) {
          EXPECT_TRUE(batch.has_value() || batch.error().code == ErrorCode::kCorrupt ||
                      batch.error().code == ErrorCode::kUnsupported);
          break;
        }
        ASSERT_TRUE((*batch)->Validate().ok()) << seed;
      }
      EXPECT_TRUE(reader.has_value() || reader.error().code == ErrorCode::kCorrupt);
    }
  }
}

}  // namespace
}  // namespace spillway::lake
