#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "postgres/connection.h"
#include "recipe/open_data/location_day.h"
#include "source/postgres/query_reader.h"

namespace spillway::recipe::open_data {

/// As PostgreSQL wrote them. All the day's readings are in [first, last]; if `is_exact`, no others.
struct DaySpan {
  std::string first;
  std::string last;
  bool is_exact = false;
};

/// What the database knows of a day before its readings.
struct DaySource {
  LocationDay id;
  bool logged = false;      ///< Not on a standby that is behind.
  std::string modified_on;  ///< As PostgreSQL wrote it.
  int64_t records = 0;      ///< What the log counts.
  std::vector<DayFile> files_before;
  bool has_location = false;
  /// Why no file can be made of it: a view has its location, or a sensor of it, more than once.
  std::string fault;
  std::string location;
  std::optional<double> lat;
  std::optional<double> lon;
  std::string time_zone;
  std::string day_bound;
  std::string line;  ///< open_data_location_line's.
  /// What instants it spans, as open_data_span says; null where there is no such zone.
  std::optional<DaySpan> span;

  /// Readings can be told apart from those of other days.
  bool readable() const { return logged && has_location && fault.empty() && span.has_value(); }
};

struct Sensor {
  int64_t location = 0;
  std::string parameter;
  std::string units;
  std::optional<std::string> location_text;  ///< In the place of its location's, where it has one.
  std::string line;                          ///< open_data_sensor_line's.
};

/// One consistent look at many days: their log rows, locations and sensors first, then all their
/// readings by one statement, in one snapshot. Since whoever changes
/// readings changes their log row in the same transaction, `modified_on` and `records` are those of
/// the readings that are read.
class DayReader {
 public:
  /// Rows of the readings: day (int32, index of a DaySource), sensors_id (int64), datetime
  /// (timestamp[us, UTC]), value, lat, lon (double, the latter two null where the location's
  /// hold); in the order of day, sensor and time.
  using Consume = std::function<Result<>(const arrow::RecordBatch&)>;

  /// `schema` is the log's and the views', quoted.
  DayReader(postgres::Connection& connection, std::string schema)
      : connection_(connection), schema_(std::move(schema)) {}

  /// days() and sensors() are there when `consume` is called first; an error of it ends the read.
  /// Errors are QueryReader's, and kNotFound where the views are not as they should be.
  Result<> Read(std::span<const LocationDay> days, const Consume& consume,
                const std::stop_token& stop);

  const std::vector<DaySource>& days() const { return days_; }
  const std::map<int64_t, Sensor>& sensors() const { return sensors_; }

 private:
  Result<> ReadFrom(postgres_source::QueryReader& reader, std::span<const LocationDay> days,
                    const Consume& consume, const std::stop_token& stop);
  Result<> Look(std::span<const LocationDay> days, postgres_source::QueryReader& reader,
                const std::stop_token& stop);
  Result<> LookAtSensors(std::span<const int64_t> locations, postgres_source::QueryReader& reader,
                         const std::stop_token& stop);
  Result<std::string> Selection() const;

  postgres::Connection& connection_;
  const std::string schema_;
  std::vector<DaySource> days_;
  std::map<int64_t, Sensor> sensors_;
};

}  // namespace spillway::recipe::open_data
