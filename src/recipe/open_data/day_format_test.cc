#include "recipe/open_data/day_format.h"

#include <random>

#include <arrow/api.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "recipe/open_data/reading_rows.h"
#include "storage/memory/memory_store.h"

namespace spillway::recipe::open_data {
namespace {

template <class Builder, class ValueOf>
std::shared_ptr<arrow::Array> Column(int64_t rows, ValueOf value_of) {
  Builder builder;
  for (int64_t row = 0; row < rows; ++row) EXPECT_TRUE(builder.Append(value_of(row)).ok());
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::RecordBatch> Day(int64_t rows) {
  std::mt19937 random(1);
  const auto text = [rows](const char* same) {
    return Column<arrow::StringBuilder>(rows, [same](int64_t) { return same; });
  };
  const auto number = [rows](double same) {
    return Column<arrow::DoubleBuilder>(rows, [same](int64_t) { return same; });
  };
  return arrow::RecordBatch::Make(
      ReadingSchema(), rows,
      {Column<arrow::Int64Builder>(rows, [](int64_t) { return 17; }),
       Column<arrow::Int64Builder>(rows, [](int64_t row) { return 100 + row / 1'440; }),
       text("Wien"),
       Column<arrow::StringBuilder>(rows,
                                    [](int64_t row) {
                                      return fmt::format("2024-05-03T{:02}:{:02}:00+02:00",
                                                         row / 60 % 24, row % 60);
                                    }),
       number(48.2), number(16.4), text("pm25"), text("ug/m3"),
       Column<arrow::DoubleBuilder>(
           rows, [&random](int64_t) { return static_cast<double>(random() % 1'000) / 10; })});
}

TEST(DayFormatTest, R1BytesDoNotDependOnHowRowsAreCutIntoBatches) {
  ManualClock clock;
  storage::MemoryPlace place;
  storage::MemoryStore store(place, clock);
  std::mt19937 random(2);
  for (const char* name : {"csv", "csv.gz", "parquet"}) {
    const DayFormat format = *DayFormat::Make(name);
    for (const int64_t rows : {1, 90, 3'000, 150'000}) {
      const std::shared_ptr<arrow::RecordBatch> day = Day(rows);
      std::string whole;
      for (int i = 0; i < 8; ++i) {
        DayFileWriter writer =
            *DayFileWriter::Open(format, {.location = 17, .day = "2024-05-03"}, store);
        for (int64_t at = 0; at < rows;) {
          const int64_t left = rows - at;
          const int64_t taken = i == 0 ? left : 1 + static_cast<int64_t>(random() % left);
          ASSERT_TRUE(writer.Append(*day->Slice(at, taken)).has_value());
          at += taken;
        }
        ASSERT_TRUE(writer.Finish().has_value());
        const DayFile file = writer.described();
        EXPECT_EQ(file.rows, rows);
        if (i == 0) whole = file.sha256;
        ASSERT_EQ(file.sha256, whole) << rows << " rows as " << name;
      }
    }
  }
}

}  // namespace
}  // namespace spillway::recipe::open_data
