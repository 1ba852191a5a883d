#include "recipe/open_data/day_reader.h"

#include <charconv>

#include <arrow/api.h>
#include <fmt/format.h>

#include "postgres/transaction.h"
#include "recipe/open_data/change_log.h"
#include "source/postgres/copy_decoder.h"

namespace spillway::recipe::open_data {
namespace {

using postgres::Parameter;
using postgres::Rows;

constexpr std::string_view kLook = R"sql(
  SELECT log.modified_on::text, log.records, log.metadata::text,
         l.sensor_nodes_id IS NOT NULL, l.location::text, l.lat::float8, l.lon::float8,
         l.time_zone::text, open_data_zone(l.time_zone) IS NOT NULL
  FROM unnest($1::bigint[], $2::date[]) WITH ORDINALITY AS wanted (node, day, n)
  LEFT JOIN open_data_export_logs log ON log.sensor_nodes_id = wanted.node AND log.day = wanted.day
  LEFT JOIN open_data_locations l ON l.sensor_nodes_id = wanted.node
  ORDER BY wanted.n)sql";

constexpr std::string_view kSensors = R"sql(
  SELECT DISTINCT sensors_id, parameter::text, units::text FROM open_data_sensors
  WHERE sensor_nodes_id = ANY($1::bigint[]))sql";

/// The arrays stand in the statement: COPY takes no parameters. OFFSET keeps the readings of each
/// sensor and day a look of their own, by their index; joined freely, the planner, which cannot
/// know how short a span is, would read the whole table.
constexpr std::string_view kCopy = R"sql(
COPY (
  WITH bound AS (SELECT day_bound = 'time_ending' AS ending FROM open_data_settings)
  SELECT wanted.n, m.sensors_id::bigint, m.datetime::timestamptz, m.value::float8, m.lat::float8,
         m.lon::float8
  FROM bound,
    unnest({}::integer[], {}::bigint[], {}::date[], {}::text[]) AS wanted (n, node, day, zone)
    CROSS JOIN LATERAL open_data_span(wanted.day, wanted.zone, (SELECT ending FROM bound)) AS span
    JOIN open_data_sensors s ON s.sensor_nodes_id = wanted.node
    CROSS JOIN LATERAL (
      SELECT * FROM open_data_measurements all_readings
      WHERE all_readings.sensors_id = s.sensors_id
        AND all_readings.datetime BETWEEN span.first AND span.last OFFSET 0) AS m
  WHERE span.is_exact OR open_data_day(m.datetime, wanted.zone, bound.ending) = wanted.day
  ORDER BY wanted.n, m.sensors_id, m.datetime, m.value
) TO STDOUT (FORMAT binary))sql";

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

Result<> DayReader::Look(std::span<const LocationDay> days, const std::stop_token& stop) {
  days_.clear();
  sensors_.clear();
  std::vector<int64_t> locations;
  std::vector<std::string> dates;
  for (const LocationDay& day : days) {
    locations.push_back(day.location);
    dates.push_back(day.day);
  }
  const std::span<const int64_t> nodes(locations);
  const Rows rows = TRY(
      connection_.Execute(std::string(kLook), {nodes, std::span<const std::string>(dates)}, stop));
  if (rows.size() != static_cast<int>(days.size())) {
    return Fail(ErrorCode::kInvalidArgument,
                "open_data_locations has a location more than once; give each one row");
  }
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
    day.zone_known = rows.Boolean(row, 8);
  }
  const Rows sensors = TRY(connection_.Execute(std::string(kSensors), {nodes}, stop));
  for (int row = 0; row < sensors.size(); ++row) {
    sensors_[sensors.Integer(row, 0)] = {.parameter = std::string(sensors.Text(row, 1)),
                                         .units = std::string(sensors.Text(row, 2))};
  }
  return {};
}

Result<std::string> DayReader::CopyStatement() const {
  std::vector<int64_t> numbers, locations;
  std::vector<std::string> dates, zones;
  for (size_t i = 0; i < days_.size(); ++i) {
    if (!days_[i].readable()) continue;
    numbers.push_back(static_cast<int64_t>(i));
    locations.push_back(days_[i].id.location);
    dates.push_back(days_[i].id.day);
    zones.push_back(days_[i].time_zone);
  }
  const auto literal = [this](const Parameter& array) {
    return connection_.QuoteLiteral(array.data());
  };
  return fmt::format(fmt::runtime(kCopy), TRY(literal(std::span<const int64_t>(numbers))),
                     TRY(literal(std::span<const int64_t>(locations))),
                     TRY(literal(std::span<const std::string>(dates))),
                     TRY(literal(std::span<const std::string>(zones))));
}

Result<> DayReader::Read(std::span<const LocationDay> days, const Consume& consume,
                         const std::stop_token& stop) {
  postgres::Transaction snapshot =
      TRY(postgres::Transaction::Begin(connection_, "ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  // Its sort is of some ten thousand rows, and compiling it takes longer than running it.
  TRY(connection_.ExecuteScript("SET LOCAL work_mem = '64MB'; SET LOCAL jit = off"));
  TRY(Look(days, stop));
  postgres_source::CopyDecoder decoder(ReadingColumns(), {}, consume);
  TRY(connection_.CopyOut(
      TRY(CopyStatement()),
      [&decoder](std::span<const std::byte> bytes) {
        return decoder.Append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      },
      stop));
  TRY(decoder.Finish());
  return snapshot.Commit();
}

}  // namespace spillway::recipe::open_data
