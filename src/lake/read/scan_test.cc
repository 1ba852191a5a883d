#include "lake/read/scan.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <random>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/ingest/data_file_writer.h"
#include "lake/sample_lake.h"

namespace spillway::lake {
namespace {

constexpr int64_t kStart = 1'743'120'000'000'000;

using testing::HasSubstr;

std::vector<SampleRow> RowsAt(int64_t first, int64_t step, int64_t rows, const std::string& name) {
  std::vector<SampleRow> made;
  for (int64_t i = 0; i < rows; ++i) {
    made.push_back({first + i * step, name + std::to_string(i)});
  }
  return made;
}

class ScanTest : public testing::Test {
 protected:
  DataFile PutRows(int64_t rows, int64_t rows_per_group) {
    return lake_.Put("day=1/f.parquet", RowsAt(kStart, 1, rows, "r"), rows_per_group);
  }

  void ExpectCorrupt(const ReadUnit& unit, const std::string& said) {
    const auto scanned = lake_.ScanIds(unit);
    ASSERT_FALSE(scanned.has_value());
    // A changed byte may say another encoding: then the form is what cannot be read.
    EXPECT_TRUE(scanned.error().code == ErrorCode::kCorrupt ||
                (said.empty() && scanned.error().code == ErrorCode::kUnsupported))
        << scanned.error().message;
    EXPECT_THAT(scanned.error().message, HasSubstr("lake file day=1/f.parquet"));
    EXPECT_THAT(scanned.error().message, HasSubstr(said));
    EXPECT_THAT(scanned.error().message, testing::Not(HasSubstr("\n")));
  }

  /// Puts a batch of the sample's columns in which one stands in another form.
  DataFile PutWith(int column, const std::shared_ptr<arrow::Field>& field,
                   const std::shared_ptr<arrow::Array>& values) {
    const auto rows = RowsAt(kStart, 1, values->length(), "r");
    const auto batch = *lake_.Columns(rows)->SetColumn(column, field, values);
    std::vector<int64_t> times;
    for (const SampleRow& row : rows) times.push_back(row.time);
    return lake_.PutColumns("day=1/f.parquet", *batch, times, 100);
  }

  SampleLake lake_;
};

/// A store whose transfers are to be long, as over a network; remembers what was read.
class FarStore final : public storage::ObjectStore {
 public:
  explicit FarStore(storage::ObjectStore& store)
      : ObjectStore({.transfer_bytes = size_t{8} << 20}), store_(store) {}

  int reads() const { return reads_; }
  uint64_t bytes() const { return bytes_; }

  Result<std::unique_ptr<storage::ObjectReader>> Open(std::string_view key,
                                                      std::stop_token stop) override {
    return std::make_unique<Reader>(*this, TRY(store_.Open(key, std::move(stop))));
  }
  Result<std::unique_ptr<storage::ObjectWriter>> Create(std::string_view,
                                                        storage::Overwrite) override {
    return Closed();
  }
  Result<std::optional<storage::ObjectInfo>> Head(std::string_view) override { return Closed(); }
  Result<std::vector<storage::ObjectInfo>> List(std::string_view, std::string_view,
                                                size_t) override {
    return Closed();
  }
  Result<uint64_t> Remove(std::string_view) override { return Closed(); }
  Result<std::unique_ptr<storage::Stage>> CreateStage(
      std::string_view, const std::optional<storage::StageTarget>&) override {
    return Closed();
  }
  Result<> Sync(std::string_view) override { return Closed(); }
  Result<storage::ObjectInfo> Compose(std::string_view, std::span<const storage::ObjectRange>,
                                      std::stop_token) override {
    return Closed();
  }

 private:
  class Reader final : public storage::ObjectReader {
   public:
    Reader(FarStore& store, std::unique_ptr<storage::ObjectReader> reader)
        : store_(store), reader_(std::move(reader)) {}
    uint64_t size() const override { return reader_->size(); }
    Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) override {
      ++store_.reads_;
      store_.bytes_ += into.size();
      return reader_->ReadAt(offset, into);
    }

   private:
    FarStore& store_;
    const std::unique_ptr<storage::ObjectReader> reader_;
  };

  static std::unexpected<Error> Closed() { return Fail(ErrorCode::kUnsupported, "only reads"); }

  storage::ObjectStore& store_;
  std::atomic<int> reads_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
};

TEST_F(ScanTest, FromFarReadsEachRowGroupAtOnce) {
  const auto file = PutRows(40'000, 6'000);
  FarStore far(lake_.store());
  uint64_t bytes = 0;
  const auto ids = lake_.ScanIds(WholeFile(file), far, &bytes);
  ASSERT_TRUE(ids.has_value()) << ids.error().message;
  EXPECT_EQ(*ids, lake_.ScanIds(WholeFile(file)).value());
  EXPECT_LE(far.reads(), 7 + 2);  // The footer may take two.
  EXPECT_EQ(bytes, far.bytes());
}

TEST_F(ScanTest, FromFarWhatCannotMatchIsNotRead) {
  auto unit = WholeFile(PutRows(400'000, 20'000));
  FarStore whole(lake_.store());
  ASSERT_TRUE(lake_.ScanIds(unit, whole));
  // The plan names two row groups, of which the range ends in the first.
  unit.slices[0].first_row_group = 3;
  unit.slices[0].row_groups = 2;
  unit.slices[0].rows = 40'000;
  unit.slices[0].min_time = unit.range.begin + std::chrono::microseconds(60'000);
  unit.slices[0].max_time = unit.range.begin + std::chrono::microseconds(99'999);
  unit.range.end = unit.slices[0].min_time + std::chrono::microseconds(10);
  unit.range.begin = unit.slices[0].min_time;
  unit.rows = 10;
  FarStore narrow(lake_.store());
  const auto ids = lake_.ScanIds(unit, narrow);
  ASSERT_TRUE(ids.has_value()) << ids.error().message;
  EXPECT_EQ(ids->front(), "r60000");
  EXPECT_LT(narrow.bytes(), whole.bytes() / 5);
  EXPECT_LE(narrow.reads(), 1 + 2);
}

TEST_F(ScanTest, FromFarTakesManyFilesInTheirOrder) {
  ReadUnit unit;
  for (int i = 0; i < 6; ++i) {
    const auto file = lake_.Put("day=1/" + std::to_string(i) + ".parquet",
                                RowsAt(kStart + i * 900, 1, 1000, std::to_string(i) + "-"), 300);
    ReadUnit one = WholeFile(file);
    unit.slices.push_back(one.slices[0]);
    if (i == 0) unit.range.begin = one.range.begin;
    unit.range.end = one.range.end;
    unit.rows += one.rows;
  }
  FarStore far(lake_.store());
  uint64_t bytes = 0;
  const auto ids = lake_.ScanIds(unit, far, &bytes);
  ASSERT_TRUE(ids.has_value()) << ids.error().message;
  EXPECT_EQ(*ids, lake_.ScanIds(unit).value());
  EXPECT_EQ(bytes, far.bytes());
  unit.rows = 1500;  // Not all that is opened ahead is needed.
  EXPECT_EQ(lake_.ScanIds(unit, far)->size(), 1500u);
}

TEST_F(ScanTest, HandsOutBatchesInOrder) {
  const auto file = PutRows(40'000, 25'000);
  const auto ids = lake_.ScanIds(WholeFile(file));
  ASSERT_TRUE(ids.has_value()) << ids.error().message;
  ASSERT_EQ(ids->size(), 40'000u);
  for (size_t i = 0; i < ids->size(); ++i) ASSERT_EQ((*ids)[i], "r" + std::to_string(i));
}

TEST_F(ScanTest, TakesARangeAndPartOfIt) {
  auto unit = WholeFile(PutRows(1000, 300));
  unit.range = {unit.range.begin + std::chrono::microseconds(250),
                unit.range.begin + std::chrono::microseconds(950)};
  unit.skip = 40;
  unit.rows = 500;
  const auto ids = lake_.ScanIds(unit);
  ASSERT_TRUE(ids.has_value()) << ids.error().message;
  ASSERT_EQ(ids->size(), 500u);
  EXPECT_EQ(ids->front(), "r290");
  EXPECT_EQ(ids->back(), "r789");
}

TEST_F(ScanTest, ProjectsAndRenames) {
  const auto unit = WholeFile(PutRows(10, 10));
  const Projection projection = {{{"size", "bytes"}, {"id", "message"}, {"id", "again"}}};
  const auto schema = ProjectedSchema(lake_.schema(), projection);
  ASSERT_TRUE(schema.has_value());
  EXPECT_EQ((*schema)->field_names(), (std::vector<std::string>{"bytes", "message", "again"}));
  int64_t rows = 0;
  const auto done = Scan(lake_.store(), lake_.schema(), unit, projection, {},
                         [&](const arrow::RecordBatch& batch) -> Result<> {
                           EXPECT_EQ(batch.schema()->field_names(), (*schema)->field_names());
                           EXPECT_TRUE(batch.column(1)->Equals(batch.column(2)));
                           rows += batch.num_rows();
                           return {};
                         });
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(rows, 10);
}

TEST_F(ScanTest, NamesTheNearestColumn) {
  const auto schema = ProjectedSchema(lake_.schema(), {{{"kidn", "kind"}}});
  ASSERT_FALSE(schema.has_value());
  EXPECT_EQ(schema.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(schema.error().message,
            "there is no column \"kidn\" in the lake; did you mean \"kind\"?");
}

TEST_F(ScanTest, StopsBetweenBatches) {
  const auto unit = WholeFile(PutRows(100'000, 100'000));
  std::stop_source stop;
  int batches = 0;
  const auto done = Scan(lake_.store(), lake_.schema(), unit, lake_.Everything(), stop.get_token(),
                         [&](const arrow::RecordBatch&) -> Result<> {
                           ++batches;
                           stop.request_stop();
                           return {};
                         });
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(batches, 1);
}

TEST_F(ScanTest, PassesOnWhatTheConsumerSays) {
  const auto done = Scan(lake_.store(), lake_.schema(), WholeFile(PutRows(10, 10)),
                         lake_.Everything(), {}, [](const arrow::RecordBatch&) -> Result<> {
                           return Fail(ErrorCode::kOutOfSpace, "the disk is full");
                         });
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::kOutOfSpace);
}

TEST_F(ScanTest, MergesLongAndShortRuns) {
  // Two files in large blocks by turns, a third that falls between every two rows of both.
  std::vector<std::vector<SampleRow>> rows(3);
  for (int64_t i = 0; i < 30'000; ++i) {
    rows[i / 5000 % 2].push_back({kStart + 2 * i, "x" + std::to_string(i)});
    if (i > 12'000 && i < 20'000) rows[2].push_back({kStart + 2 * i + 1, "y" + std::to_string(i)});
  }
  ReadUnit unit = {.range = {Timestamp(std::chrono::microseconds(kStart)),
                             Timestamp(std::chrono::microseconds(kStart + 100'000))}};
  std::vector<SampleRow> expected;
  for (size_t f = 0; f < rows.size(); ++f) {
    const auto whole = WholeFile(lake_.Put("f" + std::to_string(f), rows[f], 7000));
    unit.slices.push_back(whole.slices[0]);
    unit.rows += whole.rows;
    expected.insert(expected.end(), rows[f].begin(), rows[f].end());
  }
  std::ranges::stable_sort(expected, {}, &SampleRow::time);
  const auto ids = lake_.ScanIds(unit);
  ASSERT_TRUE(ids.has_value()) << ids.error().message;
  ASSERT_EQ(ids->size(), expected.size());
  for (size_t i = 0; i < ids->size(); ++i) ASSERT_EQ((*ids)[i], expected[i].id) << i;
}

TEST_F(ScanTest, NoticesAFileThatIsGone) {
  const auto unit = WholeFile(PutRows(10, 10));
  ASSERT_TRUE(lake_.store().Remove("day=1/f.parquet"));
  ExpectCorrupt(unit, "is gone");
}

TEST_F(ScanTest, NoticesAFileCutShort) {
  auto unit = WholeFile(PutRows(1000, 1000));
  const std::string bytes = lake_.Bytes("day=1/f.parquet");
  lake_.PutBytes("day=1/f.parquet", bytes.substr(0, bytes.size() - 10));
  ExpectCorrupt(unit, "cut short or changed");
  unit.slices[0].file_bytes -= 10;
  ExpectCorrupt(unit, "restore the file");
  for (const size_t left : {size_t{0}, size_t{3}, size_t{8}, bytes.size() / 2}) {
    lake_.PutBytes("day=1/f.parquet", bytes.substr(0, left));
    unit.slices[0].file_bytes = left;
    ExpectCorrupt(unit, "restore the file");
  }
}

/// Rows of long text that lie small in the file.
TEST_F(ScanTest, BatchesAreBoundedInBytes) {
  constexpr int64_t kRows = 4000;
  const std::string body(20'000, 'x');
  for (const bool dictionary : {true, false}) {
    auto properties = parquet::WriterProperties::Builder();
    properties.compression(arrow::Compression::ZSTD);
    if (!dictionary) properties.disable_dictionary();
    ReadUnit unit;
    for (int file = 0; file < 2; ++file) {
      auto rows = RowsAt(kStart + file, 2, kRows, "r");
      std::vector<int64_t> times;
      for (const SampleRow& row : rows) times.push_back(row.time);
      arrow::StringBuilder bodies;
      ASSERT_TRUE(bodies.Reserve(kRows).ok());
      for (int64_t i = 0; i < kRows; ++i) ASSERT_TRUE(bodies.Append(body).ok());
      const auto batch =
          *lake_.Columns(rows)->SetColumn(3, lake_.schema().columns->field(3), *bodies.Finish());
      const auto whole = WholeFile(
          lake_.PutColumns(std::to_string(file), *batch, times, kRows, properties.build()));
      unit.slices.push_back(whole.slices[0]);
      unit.rows += whole.rows;
    }
    unit.range = {unit.slices[0].min_time, unit.slices[1].max_time + std::chrono::microseconds(1)};
    int64_t rows = 0;
    const auto scanned = Scan(
        lake_.store(), lake_.schema(), unit, lake_.Everything(), {},
        [&](const arrow::RecordBatch& batch) -> Result<> {
          EXPECT_LE(static_cast<const arrow::StringArray&>(*batch.column(3)).total_values_length(),
                    64 << 20);
          rows += batch.num_rows();
          return {};
        });
    ASSERT_TRUE(scanned) << scanned.error().message;
    EXPECT_EQ(rows, 2 * kRows);
  }
}

TEST_F(ScanTest, NoticesAMissingColumn) {
  auto reduced = *lake_.Columns(RowsAt(kStart, 1, 10, "r"))->RemoveColumn(3);
  std::vector<int64_t> times(10);
  for (int64_t i = 0; i < 10; ++i) times[i] = kStart + i;
  ExpectCorrupt(WholeFile(lake_.PutColumns("day=1/f.parquet", *reduced, times, 10)),
                "has no column 'note'");
}

TEST_F(ScanTest, NoticesAColumnOfAnotherType) {
  arrow::DoubleBuilder doubles;
  ASSERT_TRUE(doubles.AppendValues({1, 2, 3}).ok());
  ExpectCorrupt(WholeFile(PutWith(4, arrow::field("size", arrow::float64()), *doubles.Finish())),
                "column 'size' as double where the lake has int64");
  arrow::TimestampBuilder local(arrow::timestamp(arrow::TimeUnit::MICRO),
                                arrow::default_memory_pool());
  ASSERT_TRUE(local.AppendValues({kStart, kStart + 1, kStart + 2}).ok());
  ExpectCorrupt(WholeFile(PutWith(1, arrow::field("time", local.type()), *local.Finish())),
                "column 'time'");
}

TEST_F(ScanTest, NoticesRowsWithoutATime) {
  arrow::TimestampBuilder times(lake_.schema().columns->field(1)->type(),
                                arrow::default_memory_pool());
  ASSERT_TRUE(times.AppendValues({kStart, kStart + 1}).ok() && times.AppendNull().ok());
  ExpectCorrupt(WholeFile(PutWith(1, arrow::field("time", times.type()), *times.Finish())),
                "has rows without a time");
}

TEST_F(ScanTest, NoticesRowsOutOfOrder) {
  auto rows = RowsAt(kStart, 1, 50'000, "r");
  std::swap(rows[20'000], rows[20'001]);
  ExpectCorrupt(WholeFile(lake_.Put("day=1/f.parquet", rows, 50'000)), "is not sorted by time");
  // Between two row groups as well.
  rows = RowsAt(kStart, 1, 50'000, "r");
  std::swap(rows[16'383], rows[16'384]);
  ExpectCorrupt(WholeFile(lake_.Put("day=1/f.parquet", rows, 16'384)), "is not sorted by time");
}

TEST_F(ScanTest, NoticesOtherTimesThanTheLogSays) {
  auto unit = WholeFile(PutRows(10, 10));
  unit.slices[0].max_time -= std::chrono::microseconds(1);
  ExpectCorrupt(unit, "outside the times that the log says");
}

TEST_F(ScanTest, NoticesOtherRowsThanTheLogOrThePlanSays) {
  auto unit = WholeFile(PutRows(1000, 100));
  unit.slices[0].rows = 999;
  ExpectCorrupt(unit, "has 1000 rows where the log says 999");
  unit = WholeFile(PutRows(1000, 100));
  unit.rows = 1001;
  ExpectCorrupt(unit, "1 rows of the plan's 1001 are not there");
  unit = WholeFile(PutRows(1000, 100));
  unit.slices[0].row_groups = 11;
  ExpectCorrupt(unit, "has 10 row groups");
}

TEST_F(ScanTest, BrokenBytesAreAnErrorOrHarmless) {
  const auto rows = RowsAt(kStart, 1, 3000, "r");
  auto writer = DataFileWriter::Create(lake_.store(), lake_.schema(),
                                       {.key = "day=1/f.parquet", .day = kStart / 86'400'000'000},
                                       {.row_group_rows = 1000});
  ASSERT_TRUE(writer) << writer.error().message;
  ASSERT_TRUE((*writer)->Write(*lake_.Columns(rows)));
  const auto unit = WholeFile(*(*writer)->Finish());
  const std::string bytes = lake_.Bytes("day=1/f.parquet");
  const auto whole = lake_.ScanIds(unit).value();
  int noticed = 0;
  for (int seed = 0; seed < 500; ++seed) {
    std::mt19937_64 random(seed);
    std::string broken = bytes;
    for (int i = static_cast<int>(random() % 3); i >= 0; --i) {
      broken[random() % broken.size()] = static_cast<char>(random());
    }
    lake_.PutBytes("day=1/f.parquet", broken);
    const auto scanned = lake_.ScanIds(unit);
    if (scanned.has_value()) {
      EXPECT_EQ(*scanned, whole) << seed;
    } else {
      ++noticed;
      ExpectCorrupt(unit, "");
    }
    if (HasFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(noticed, 300);
}

}  // namespace
}  // namespace spillway::lake
