#include "recipe/open_data/reading_rows.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "postgres/server_fixture.h"

namespace spillway::recipe::open_data {
namespace {

using postgres::Must;

/// Readings of (day, sensor), all at the same time.
std::shared_ptr<arrow::RecordBatch> Readings(
    const std::vector<std::pair<int32_t, int64_t>>& readings) {
  arrow::Int32Builder day;
  arrow::Int64Builder sensor;
  const auto instant = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  arrow::TimestampBuilder time(instant, arrow::default_memory_pool());
  arrow::DoubleBuilder number;
  for (const auto& [of_day, of_sensor] : readings) {
    EXPECT_TRUE(day.Append(of_day).ok() && sensor.Append(of_sensor).ok() && time.Append(0).ok() &&
                number.Append(14).ok());
  }
  const auto numbers = number.Finish().ValueOrDie();
  return arrow::RecordBatch::Make(
      arrow::schema({arrow::field("day", arrow::int32()),
                     arrow::field("sensors_id", arrow::int64()), arrow::field("datetime", instant),
                     arrow::field("value", arrow::float64()), arrow::field("lat", arrow::float64()),
                     arrow::field("lon", arrow::float64())}),
      static_cast<int64_t>(readings.size()),
      {day.Finish().ValueOrDie(), sensor.Finish().ValueOrDie(), time.Finish().ValueOrDie(), numbers,
       numbers, numbers});
}

TEST(ReadingRows, O7NamesThatAreMissingAreNull) {
  const std::vector<DaySource> days = {{.location = "", .time_zone = "UTC"},
                                       {.location = "Station", .time_zone = "UTC"}};
  const std::map<int64_t, Sensor> sensors = {{1, {.parameter = "pm25", .units = ""}},
                                             {2, {.parameter = "", .units = "ppm"}},
                                             {3, {.parameter = "o3", .units = "ppb"}}};
  ReadingRows rows;
  const auto dressed =
      Must(rows.Dress(*Readings({{0, 1}, {0, 2}, {0, 3}, {1, 1}, {1, 2}, {1, 3}}), days, sensors));
  const auto texts = [&](const char* name) {
    std::string joined;
    const auto column = dressed->GetColumnByName(name);
    for (int64_t row = 0; row < column->length(); ++row) {
      const auto scalar = column->GetScalar(row).ValueOrDie();
      joined += scalar->is_valid ? static_cast<const arrow::DictionaryScalar&>(*scalar)
                                       .GetEncodedValue()
                                       .ValueOrDie()
                                       ->ToString()
                                 : "null";
      joined += ' ';
    }
    return joined;
  };
  EXPECT_EQ(texts("location"), "null null null Station Station Station ");
  EXPECT_EQ(texts("parameter"), "pm25 null o3 pm25 null o3 ");
  EXPECT_EQ(texts("units"), "null ppm ppb null ppm ppb ");
}

}  // namespace
}  // namespace spillway::recipe::open_data
