#include <cstdlib>
#include <random>
#include <set>

#include <arrow/api.h>
#include <date/date.h>

#include "base/random.h"
#include "base/time_zone.h"
#include "recipe/open_data/open_data_fixture.h"
#include "recipe/open_data/reading_rows.h"

namespace spillway::recipe::open_data {
namespace {

/// PostgreSQL's own arithmetic against ours: the spans of days in SQL, and local times in C++. All
/// of PostgreSQL's zones where SPILLWAY_ALL_ZONES is set; else a sample.
class DaysTest : public OpenDataTest {
 protected:
  std::vector<std::string> Zones(Random& random) {
    const postgres::Rows rows = Must(
        database_->Execute("SELECT name FROM pg_timezone_names WHERE name NOT LIKE 'posix%' "
                           "AND name NOT LIKE '%right%' AND name NOT IN ('localtime', 'Factory') "
                           "AND open_data_zone(name) IS NOT NULL ORDER BY name"));
    std::vector<std::string> zones;
    const bool all = std::getenv("SPILLWAY_ALL_ZONES") != nullptr;
    for (int row = 0; row < rows.size(); ++row) {
      if (all || random.Below(20) == 0) zones.emplace_back(rows.Text(row, 0));
    }
    // Those that ever surprised somebody: changes at midnight, days that never were, half hours.
    for (const char* zone :
         {"America/St_Johns", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe",
          "Africa/Cairo", "Asia/Tehran", "America/Havana", "Antarctica/Troll", "Asia/Kathmandu"}) {
      zones.emplace_back(zone);
    }
    return zones;
  }

  /// Days from 1990 to 2100 on which the zone's offset changes.
  static std::set<std::string> DaysOfChange(const std::string& zone) {
    using namespace std::chrono;
    std::set<std::string> days;
    const TimeZone found = Must(FindTimeZone(zone));
    date::sys_seconds at = date::sys_days(date::year(1990) / 1 / 1);
    const date::sys_seconds end = date::sys_days(date::year(2101) / 1 / 1);
    while (at < end) {
      at = found.SpanAt(at).end;
      if (at < end) days.insert(date::format("%F", date::floor<date::days>(at)));
    }
    return days;
  }
};

/// A reading of any time belongs to one day, its day's span has it, and an exact span has no
/// other's.
TEST_F(DaysTest, SpansHoldTheirDaysReadings) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  int checked = 0;
  for (const std::string& zone : Zones(random)) {
    std::set<std::string> days = DaysOfChange(zone);
    for (int i = 0; i < 5; ++i) {
      days.insert(fmt::format("{}-{:02}-{:02}", 1990 + random.Below(46), 1 + random.Below(12),
                              1 + random.Below(28)));
    }
    const std::vector<std::string> list(days.begin(), days.end());
    checked += static_cast<int>(list.size());
    const postgres::Rows wrong = Must(database_->Execute(
        R"sql(
        WITH looked AS (
          SELECT d.day + k AS day, ending, span.*
          FROM unnest($2::date[]) AS d (day), generate_series(-1, 1) k, (VALUES (true), (false)) e (ending),
            LATERAL open_data_span(d.day + k, $1, ending) AS span
        ), reading AS (
          SELECT day, ending, first, last, is_exact, at, open_data_day(at, $1, ending) AS own
          FROM looked, generate_series(first - interval '4 hours', last + interval '4 hours',
                                       interval '29 minutes 59.999999 seconds') AS at
          UNION ALL
          SELECT day, ending, first, last, is_exact, at, open_data_day(at, $1, ending)
          FROM looked, unnest(ARRAY[first, last, first - interval '1 microsecond',
                                    last + interval '1 microsecond']) AS at
        )
        SELECT day, ending, at, own FROM reading
        WHERE (own = day AND at NOT BETWEEN first AND last)
           OR (is_exact AND own <> day AND at BETWEEN first AND last)
        UNION ALL
        -- A day that is complete has no reading to come; one that is not, may.
        SELECT day, ending, at, own FROM reading
        WHERE own = day AND open_data_is_complete(day, $1, ending, at)
        LIMIT 1)sql",
        {zone, std::span<const std::string>(list)}));
    ASSERT_TRUE(wrong.empty()) << zone << " " << wrong.Text(0, 0) << " ending " << wrong.Text(0, 1)
                               << ": " << wrong.Text(0, 2) << " is of " << wrong.Text(0, 3);
  }
  EXPECT_GT(checked, 500);
}

TEST_F(DaysTest, DaysHaveTheirHours) {
  const auto hours = [this](const char* zone, const char* day) {
    return Ask(
        fmt::format("SELECT count(*) FROM generate_series('{1}'::timestamptz - interval '1 day', "
                    "'{1}'::timestamptz "
                    "+ interval '2 days', interval '1 hour') AS at WHERE open_data_day(at, '{0}', "
                    "true) = '{1}'",
                    zone, day));
  };
  EXPECT_EQ(hours("Europe/Vienna", "2024-03-31"), "23");
  EXPECT_EQ(hours("Europe/Vienna", "2024-10-27"), "25");
  EXPECT_EQ(hours("Europe/Vienna", "2024-06-01"), "24");
  EXPECT_EQ(hours("Pacific/Apia", "2011-12-30"), "0");
}

/// The text of a local time, as ReadingRows writes it, against to_char.
TEST_F(DaysTest, LocalTimesAreThoseOfPostgres) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  for (const std::string& zone : Zones(random)) {
    const std::set<std::string> days = DaysOfChange(zone);
    const std::vector<std::string> list(days.begin(), days.end());
    const postgres::Rows rows = Must(database_->Execute(
        R"sql(
        SELECT (extract(epoch FROM at) * 1000000)::bigint,
          to_char(at AT TIME ZONE $1, 'YYYY-MM-DD"T"HH24:MI:SS'),
          extract(epoch FROM (at AT TIME ZONE $1) - (at AT TIME ZONE 'UTC'))::bigint
        FROM unnest($2::date[]) AS day,
          generate_series(day::timestamptz, day::timestamptz + interval '25 hours',
                          interval '30 minutes') AS at)sql",
        {zone, std::span<const std::string>(list)}));
    arrow::Int32Builder day;
    arrow::Int64Builder sensor;
    arrow::TimestampBuilder time(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                 arrow::default_memory_pool());
    arrow::DoubleBuilder number;
    for (int row = 0; row < rows.size(); ++row) {
      ASSERT_TRUE(day.Append(0).ok() && sensor.Append(1).ok() && number.Append(0).ok() &&
                  time.Append(rows.Integer(row, 0)).ok());
    }
    const auto numbers = number.Finish().ValueOrDie();
    const auto readings = arrow::RecordBatch::Make(
        arrow::schema(
            {arrow::field("day", arrow::int32()), arrow::field("sensors_id", arrow::int64()),
             arrow::field("datetime", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
             arrow::field("value", arrow::float64()), arrow::field("lat", arrow::float64()),
             arrow::field("lon", arrow::float64())}),
        rows.size(),
        {day.Finish().ValueOrDie(), sensor.Finish().ValueOrDie(), time.Finish().ValueOrDie(),
         numbers, numbers, numbers});
    ReadingRows dresser;
    const std::vector<DaySource> sources = {{.location = "x", .time_zone = zone}};
    const std::map<int64_t, Sensor> sensors = {{1, {.parameter = "pm25", .units = "u"}}};
    const auto dressed = Must(dresser.Dress(*readings, sources, sensors));
    const auto& texts = static_cast<const arrow::StringArray&>(*dressed->column(3));
    for (int row = 0; row < rows.size(); ++row) {
      const int64_t offset = rows.Integer(row, 2);
      if (offset % 60 != 0) continue;  // Before standard time: RFC 3339 has no seconds of offset.
      const std::string expected = std::string(rows.Text(row, 1)) +
                                   fmt::format("{}{:02}:{:02}", offset < 0 ? '-' : '+',
                                               std::abs(offset) / 3600, std::abs(offset) / 60 % 60);
      ASSERT_EQ(texts.GetView(row), expected) << zone;
    }
  }
}

}  // namespace
}  // namespace spillway::recipe::open_data
