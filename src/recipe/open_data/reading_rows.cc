#include "recipe/open_data/reading_rows.h"

#include <vector>

#include <arrow/api.h>

#include "base/buffer.h"
#include "format/row/instant_text.h"
#include "format/row/zone.h"

namespace spillway::recipe::open_data {
namespace {

constexpr int64_t kMicros = 1'000'000;

const std::shared_ptr<arrow::DataType>& Text() { return arrow::utf8(); }

std::shared_ptr<arrow::Buffer> Copied(const void* data, size_t bytes) {
  auto buffer = arrow::AllocateBuffer(static_cast<int64_t>(bytes)).ValueOrDie();
  if (bytes > 0) std::memcpy(buffer->mutable_data(), data, bytes);
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

/// Texts that many rows share. A text without a character is an absent one: a location without a
/// name, a sensor without units.
class SharedText {
 public:
  explicit SharedText(int64_t rows) { indices_.reserve(static_cast<size_t>(rows)); }

  int32_t Add(std::string_view text) {
    if (text.empty()) return kAbsent;
    texts_.append(text);
    ends_.push_back(static_cast<int32_t>(texts_.size()));
    return static_cast<int32_t>(ends_.size()) - 2;
  }
  void Use(int32_t index) { indices_.push_back(index); }

  std::shared_ptr<arrow::Array> Finish() const {
    auto dictionary = std::make_shared<arrow::StringArray>(
        static_cast<int64_t>(ends_.size()) - 1,
        Copied(ends_.data(), ends_.size() * sizeof(int32_t)), Copied(texts_.data(), texts_.size()));
    arrow::Int32Builder indices;
    static_cast<void>(indices.Reserve(static_cast<int64_t>(indices_.size())));
    for (const int32_t index : indices_) {
      if (index == kAbsent) {
        indices.UnsafeAppendNull();
      } else {
        indices.UnsafeAppend(index);
      }
    }
    return std::make_shared<arrow::DictionaryArray>(arrow::dictionary(arrow::int32(), Text()),
                                                    indices.Finish().ValueOrDie(),
                                                    std::move(dictionary));
  }

 private:
  static constexpr int32_t kAbsent = -1;

  std::string texts_;
  std::vector<int32_t> ends_ = {0};
  std::vector<int32_t> indices_;
};

/// Of a sensor, in the texts of its batch.
struct SensorTexts {
  int32_t parameter = 0;
  int32_t units = 0;
};

/// The readings' own coordinate, or else the location's.
std::shared_ptr<arrow::Array> Coordinate(const arrow::DoubleArray& own,
                                         const arrow::Int32Array& day,
                                         const std::vector<DaySource>& days,
                                         std::optional<double> DaySource::* of_location) {
  arrow::DoubleBuilder builder;
  static_cast<void>(builder.Reserve(own.length()));
  for (int64_t row = 0; row < own.length(); ++row) {
    const std::optional<double> value =
        own.IsValid(row) ? std::optional(own.Value(row))
                         : days[static_cast<size_t>(day.Value(row))].*of_location;
    if (value.has_value()) {
      builder.UnsafeAppend(*value);
    } else {
      builder.UnsafeAppendNull();
    }
  }
  return builder.Finish().ValueOrDie();
}

}  // namespace

std::shared_ptr<arrow::Schema> ReadingSchema() {
  static const std::shared_ptr<arrow::Schema> kSchema =
      arrow::schema({arrow::field("location_id", arrow::int64()),
                     arrow::field("sensors_id", arrow::int64()), arrow::field("location", Text()),
                     arrow::field("datetime", Text()), arrow::field("lat", arrow::float64()),
                     arrow::field("lon", arrow::float64()), arrow::field("parameter", Text()),
                     arrow::field("units", Text()), arrow::field("value", arrow::float64())});
  return kSchema;
}

/// Writes instants in one zone.
struct ReadingRows::LocalTime {
  explicit LocalTime(format::Zone in) : zone(std::move(in)) {}

  char* Write(int64_t micros, char* out) {
    if (micros % kMicros == 0) return seconds.Write<0>(micros / kMicros, out);
    return fractions.Write<6>(micros, out);
  }

  const format::Zone zone;
  format::InstantText seconds{&zone, 1, false};
  format::InstantText fractions{&zone, kMicros, false};
};

ReadingRows::ReadingRows() = default;
ReadingRows::~ReadingRows() = default;

Result<ReadingRows::LocalTime*> ReadingRows::TimeIn(const std::string& zone) {
  std::unique_ptr<LocalTime>& time = times_[zone];
  if (time == nullptr) {
    format::Zone found = TRY(format::Zone::Find(zone, format::UtcForm::kOffset));
    time = std::make_unique<LocalTime>(std::move(found));
  }
  return time.get();
}

Result<std::shared_ptr<arrow::RecordBatch>> ReadingRows::Dress(
    const arrow::RecordBatch& readings, const std::vector<DaySource>& days,
    const std::map<int64_t, Sensor>& sensors) {
  const int64_t rows = readings.num_rows();
  const auto& day = static_cast<const arrow::Int32Array&>(*readings.column(0));
  const auto& sensor = static_cast<const arrow::Int64Array&>(*readings.column(1));
  const auto& datetime = static_cast<const arrow::TimestampArray&>(*readings.column(2));

  std::vector<int64_t> location_ids(static_cast<size_t>(rows));
  SharedText locations(rows), parameters(rows), units(rows);
  Buffer times;
  std::vector<int32_t> time_ends = {0};
  time_ends.reserve(static_cast<size_t>(rows) + 1);
  std::map<int64_t, SensorTexts> sensors_met;
  LocalTime* local = nullptr;
  int32_t location_index = 0, own_location_index = 0;
  SensorTexts sensor_texts;
  for (int64_t row = 0; row < rows; ++row) {
    const DaySource& source = days[static_cast<size_t>(day.Value(row))];
    const bool new_day = row == 0 || day.Value(row) != day.Value(row - 1);
    if (new_day) {
      local = TRY(TimeIn(source.time_zone));
      location_index = locations.Add(source.location);
    }
    if (new_day || sensor.Value(row) != sensor.Value(row - 1)) {
      auto [met, is_new] = sensors_met.try_emplace(sensor.Value(row));
      const Sensor& of = sensors.at(sensor.Value(row));
      own_location_index =
          of.location_text.has_value() ? locations.Add(*of.location_text) : location_index;
      if (is_new) {
        met->second = {parameters.Add(of.parameter), units.Add(of.units)};
      }
      sensor_texts = met->second;
    }
    location_ids[static_cast<size_t>(row)] = source.id.location;
    locations.Use(own_location_index);
    parameters.Use(sensor_texts.parameter);
    units.Use(sensor_texts.units);
    char* begin = times.Reserve(format::InstantText::kBytesMax + 24);
    const char* end = local->Write(datetime.Value(row), begin);
    // The keys of files have years of four digits.
    if (end == nullptr || *begin == '+' || *begin == '-') {
      return Fail(
          ErrorCode::kInvalidArgument,
          source.id.name() +
              ": a reading has a time outside of the years 0 to 9999; correct or delete it");
    }
    times.Advance(static_cast<size_t>(end - begin));
    time_ends.push_back(static_cast<int32_t>(times.size()));
  }
  const auto coordinate =
      [&](int column,
          std::optional<double> DaySource::* of_location) -> std::shared_ptr<arrow::Array> {
    if (readings.column(column)->null_count() == 0) return readings.column(column);
    return Coordinate(static_cast<const arrow::DoubleArray&>(*readings.column(column)), day, days,
                      of_location);
  };
  return arrow::RecordBatch::Make(
      ReadingSchema(), rows,
      {std::make_shared<arrow::Int64Array>(
           rows, Copied(location_ids.data(), location_ids.size() * sizeof(int64_t))),
       readings.column(1), locations.Finish(),
       std::make_shared<arrow::StringArray>(
           rows, Copied(time_ends.data(), time_ends.size() * sizeof(int32_t)),
           Copied(times.data(), times.size())),
       coordinate(4, &DaySource::lat), coordinate(5, &DaySource::lon), parameters.Finish(),
       units.Finish(), readings.column(3)});
}

}  // namespace spillway::recipe::open_data
