#include "recipe/open_data/day_reader.h"

#include <charconv>

#include <arrow/api.h>
#include <fmt/format.h>

#include "recipe/open_data/change_log.h"
#include "source/postgres/locked_tables.h"

namespace spillway::recipe::open_data {
namespace {

using postgres::Parameter;
using postgres::Rows;

constexpr std::string_view kLook = R"sql(
  SELECT log.modified_on::text, log.records, log.metadata::text,
         l.times IS NOT NULL, l.location, l.lat, l.lon, l.time_zone, settings.day_bound,
         span.first::text, span.last::text, span.is_exact, l.times,
         open_data_location_line(l.location, l.lat, l.lon, l.time_zone, settings.day_bound)
  FROM open_data_settings settings
  CROSS JOIN unnest($1::bigint[], $2::date[]) WITH ORDINALITY AS wanted (node, day, n)
  LEFT JOIN open_data_export_logs log ON log.sensor_nodes_id = wanted.node AND log.day = wanted.day
  LEFT JOIN (SELECT DISTINCT ON (sensor_nodes_id) sensor_nodes_id, location::text, lat::float8,
                    lon::float8, time_zone::text, count(*) OVER (PARTITION BY sensor_nodes_id) AS times
             FROM open_data_locations WHERE sensor_nodes_id IN (SELECT unnest($1::bigint[]))) AS l
    ON l.sensor_nodes_id = wanted.node
  LEFT JOIN LATERAL open_data_span(wanted.day, open_data_zone(l.time_zone),
                                   settings.day_bound = 'time_ending') AS span ON true
  ORDER BY wanted.n)sql";

/// A sensor that several locations have is looked up for each of them. The view may do without a
/// column `location`.
constexpr std::string_view kSensors = R"sql(
  SELECT s.sensors_id, s.sensor_nodes_id, s.parameter::text, s.units::text,
         to_jsonb(s)->>'location',
         open_data_sensor_line(s.sensors_id, to_jsonb(s)->>'location', s.parameter::text,
                               s.units::text)
  FROM open_data_sensors s
  WHERE s.sensors_id IN (SELECT sensors_id FROM open_data_sensors
                         WHERE sensor_nodes_id IN (SELECT unnest($1::bigint[]))))sql";

/// The arrays stand in the statement: COPY takes no parameters. OFFSET keeps the readings of each
/// sensor and day a look of their own, by their index; joined freely, the planner, which cannot
/// know how short a span is, would read the whole table. Since the looks are in order, only the
/// readings of each are left to sort: by all that stands in their rows, so that the same readings
/// are the same bytes wherever they lie on disk. 0 and -0 are equal, and differ as texts.
constexpr std::string_view kReadings = R"sql(
  SELECT wanted.n, wanted.sensor, m.datetime::timestamptz, m.value::float8, m.lat::float8,
         m.lon::float8
  FROM (SELECT * FROM unnest({}::integer[], {}::bigint[], {}::timestamptz[], {}::timestamptz[],
                             {}::text[], {}::text[])
          AS looks (n, sensor, first, last, day, zone)
        ORDER BY n, sensor OFFSET 0) AS wanted
    CROSS JOIN LATERAL (
      SELECT * FROM open_data_measurements all_readings
      WHERE all_readings.sensors_id = wanted.sensor
        AND all_readings.datetime BETWEEN wanted.first AND wanted.last OFFSET 0) AS m
  WHERE wanted.day = '' OR open_data_day(m.datetime, wanted.zone, {}) = wanted.day::date
  ORDER BY wanted.n, wanted.sensor, m.datetime, m.value, m.lat, m.lon,
    CASE WHEN 0 IN (m.value::float8, m.lat::float8, m.lon::float8)
         THEN concat_ws(' ', m.value::float8, m.lat::float8, m.lon::float8) COLLATE "C" END)sql";

/// SQLSTATE's class of statements that do not fit the database: a view lacks a column.
constexpr std::string_view kWrongStatement = "42";

std::optional<double> Number(const Rows& rows, int row, int column) {
  const std::optional<std::string_view> text = rows.TextOrNull(row, column);
  double value = 0;
  if (!text.has_value()) return std::nullopt;
  std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

std::vector<postgres_source::Column> ReadingColumns() {
  constexpr uint32_t kInt4 = 23, kInt8 = 20, kTimestamptz = 1184, kFloat8 = 701;
  using postgres_source::ColumnOf;
  return {ColumnOf("day", kInt4, -1, "integer", false),
          ColumnOf("sensors_id", kInt8, -1, "bigint", false),
          ColumnOf("datetime", kTimestamptz, -1, "timestamp with time zone", false),
          ColumnOf("value", kFloat8, -1, "double precision", false),
          ColumnOf("lat", kFloat8, -1, "double precision", false),
          ColumnOf("lon", kFloat8, -1, "double precision", false)};
}

}  // namespace

Result<> DayReader::Look(std::span<const LocationDay> days, postgres_source::QueryReader& reader,
                         const std::stop_token& stop) {
  days_.clear();
  sensors_.clear();
  std::vector<int64_t> locations;
  std::vector<std::string> dates;
  for (const LocationDay& day : days) {
    locations.push_back(day.location);
    dates.push_back(day.day);
  }
  const std::span<const int64_t> nodes(locations);
  const Rows rows =
      TRY(reader.Execute(std::string(kLook), {nodes, std::span<const std::string>(dates)}, stop));
  for (int row = 0; row < rows.size(); ++row) {
    DaySource& day = days_.emplace_back();
    day.id = days[row];
    day.logged = !rows.IsNull(row, 0);
    day.modified_on = rows.Text(row, 0);
    day.records = rows.Integer(row, 1);
    if (day.logged) day.files_before = TRY(FilesFromJson(rows.Text(row, 2)));
    day.has_location = rows.Boolean(row, 3);
    day.location = rows.Text(row, 4);
    day.lat = Number(rows, row, 5);
    day.lon = Number(rows, row, 6);
    day.time_zone = rows.Text(row, 7);
    day.day_bound = rows.Text(row, 8);
    if (!rows.IsNull(row, 9)) {
      day.span = DaySpan{.first = std::string(rows.Text(row, 9)),
                         .last = std::string(rows.Text(row, 10)),
                         .is_exact = rows.Boolean(row, 11)};
    }
    if (!rows.IsNull(row, 12) && rows.Integer(row, 12) > 1) {
      day.fault = fmt::format("open_data_locations has it {} times; give it one row there",
                              rows.Integer(row, 12));
    }
    day.line = rows.Text(row, 13);
  }
  return LookAtSensors(nodes, reader, stop);
}

Result<> DayReader::LookAtSensors(std::span<const int64_t> locations,
                                  postgres_source::QueryReader& reader,
                                  const std::stop_token& stop) {
  const Rows sensors = TRY(reader.Execute(std::string(kSensors), {locations}, stop));
  std::map<int64_t, std::string> faults;
  for (int row = 0; row < sensors.size(); ++row) {
    Sensor sensor{.location = sensors.Integer(row, 1),
                  .parameter = std::string(sensors.Text(row, 2)),
                  .units = std::string(sensors.Text(row, 3)),
                  .location_text = std::nullopt,
                  .line = std::string(sensors.Text(row, 5))};
    if (!sensors.IsNull(row, 4)) sensor.location_text = sensors.Text(row, 4);
    const int64_t id = sensors.Integer(row, 0);
    const int64_t location = sensor.location;
    const auto [first, is_new] = sensors_.emplace(id, std::move(sensor));
    if (is_new) continue;
    for (const int64_t of : {first->second.location, location}) {
      faults[of] =
          fmt::format("open_data_sensors has sensor {} more than once; give it one row there", id);
    }
  }
  for (DaySource& day : days_) {
    const auto fault = faults.find(day.id.location);
    if (fault != faults.end() && day.fault.empty()) day.fault = fault->second;
  }
  return {};
}

Result<std::string> DayReader::Selection() const {
  std::multimap<int64_t, int64_t> sensors_of;
  for (const auto& [id, sensor] : sensors_) sensors_of.emplace(sensor.location, id);
  std::vector<int64_t> numbers, sensors;
  std::vector<std::string> firsts, lasts, dates, zones;
  for (size_t i = 0; i < days_.size(); ++i) {
    const DaySource& day = days_[i];
    if (!day.readable()) continue;
    const auto [begin, end] = sensors_of.equal_range(day.id.location);
    for (auto sensor = begin; sensor != end; ++sensor) {
      numbers.push_back(static_cast<int64_t>(i));
      sensors.push_back(sensor->second);
      firsts.push_back(day.span->first);
      lasts.push_back(day.span->last);
      dates.push_back(day.span->is_exact ? "" : day.id.day);
      zones.push_back(day.span->is_exact ? "" : day.time_zone);
    }
  }
  const auto literal = [this](const auto& array) {
    return connection_.QuoteLiteral(Parameter(std::span(array)).data());
  };
  return fmt::format(fmt::runtime(kReadings), TRY(literal(std::as_const(numbers))),
                     TRY(literal(std::as_const(sensors))), TRY(literal(std::as_const(firsts))),
                     TRY(literal(std::as_const(lasts))), TRY(literal(std::as_const(dates))),
                     TRY(literal(std::as_const(zones))), days_.front().day_bound == "time_ending");
}

Result<> DayReader::Read(std::span<const LocationDay> days, const Consume& consume,
                         const std::stop_token& stop) {
  const auto reader = TRY(postgres_source::QueryReader::Begin(connection_, {}, stop));
  Result<> read = ReadFrom(*reader, days, consume, stop);
  if (!read.has_value() && read.error().code == ErrorCode::kInvalidArgument &&
      connection_.sqlstate().starts_with(kWrongStatement)) {
    read.error().code = ErrorCode::kNotFound;
  }
  return read;
}

Result<> DayReader::ReadFrom(postgres_source::QueryReader& reader,
                             std::span<const LocationDay> days, const Consume& consume,
                             const std::stop_token& stop) {
  // Compiling the statement takes longer than running it.
  TRY(reader.Execute("SELECT set_config('jit', 'off', true), set_config('search_path', $1, true)",
                     {schema_ + ", pg_temp"}, stop));
  TRY(Look(days, reader, stop));
  TRY(postgres_source::CheckNoneRewritten(reader, stop));
  TRY(reader.Read(TRY(Selection()), ReadingColumns(), consume, stop));
  return postgres_source::CheckNoneRewritten(reader, stop);
}

}  // namespace spillway::recipe::open_data
