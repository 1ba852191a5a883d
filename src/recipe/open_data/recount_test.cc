#include <atomic>
#include <random>
#include <thread>

#include "base/random.h"
#include "recipe/open_data/open_data_fixture.h"

namespace spillway::recipe::open_data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kKey = "records/csv/locationid=1/year=2024/month=01/location-1-20240131.csv";
constexpr char kMiscounted[] =
    "SELECT count(*) FROM open_data_export_logs FULL JOIN (SELECT sensors_id / 10 AS "
    "sensor_nodes_id, (datetime - interval '1us')::date AS day, count(*) AS readings FROM "
    "measurements GROUP BY 1, 2) AS c USING (sensor_nodes_id, day) "
    "WHERE coalesce(records, 0) <> coalesce(readings, 0)";

class RecountTest : public OpenDataTest {
 protected:
  RecountTest() {
    Sql("SET timezone = 'UTC'");
    AddLocation(1, "UTC");
    AddLocation(2, "UTC");
  }

  std::string Recount(const std::string& formats = "csv") {
    return Ask("SELECT marked FROM open_data_recount_locations(NULL, '" + formats + "')");
  }

  /// Exports both locations' day, which a recount then finds as it is.
  void ExportTwo() {
    for (const int sensor : {11, 12, 21, 22}) AddReading(sensor, "2024-01-31T12:00:00Z");
    ASSERT_THAT(Run().items, ElementsAre("1/2024-01-31", "2/2024-01-31"));
    ASSERT_EQ(Recount(), "0");
  }

  /// Past the triggers.
  void Unseen(const std::string& sql) {
    Sql("ALTER TABLE measurements DISABLE TRIGGER USER;" + sql +
        ";ALTER TABLE measurements ENABLE TRIGGER USER");
  }
};

TEST_F(RecountTest, O09WhatAFileWasMadeOfIsCompared) {
  ExportTwo();
  const std::vector<std::string> changes = {
      "UPDATE sensor_nodes SET site_name = 'Renamed' WHERE sensor_nodes_id = 1",
      "UPDATE sensor_nodes SET lat = 48.25 WHERE sensor_nodes_id = 1",
      "UPDATE sensor_nodes SET lon = NULL WHERE sensor_nodes_id = 1",
      "UPDATE timezones SET tzid = 'Africa/Abidjan' WHERE timezones_id = 1",
      "UPDATE sensors SET measurands_id = 3 - measurands_id WHERE sensors_id IN (11, 12)"};
  for (const std::string& change : changes) {
    Sql(change);
    EXPECT_EQ(Recount(), "1") << change;
    EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31")) << change;
    EXPECT_EQ(Recount(), "0") << change;
  }
  Sql("UPDATE measurands SET units = 'ppb' WHERE measurand = 'o3'");
  EXPECT_EQ(Recount(), "2");
  Run();
  Unseen(
      "UPDATE measurements SET sensors_id = 12, datetime = datetime + interval '1 hour' "
      "WHERE sensors_id = 11");
  EXPECT_EQ(Recount(), "1") << "as many readings, of other sensors";
}

TEST_F(RecountTest, O09ItDoesNotMatterHowASessionWritesNumbersAndTimes) {
  Sql("UPDATE sensor_nodes SET lat = 51.12345678901234, lon = 0.1::float8 + 0.2::float8");
  ExportTwo();
  Sql("SET extra_float_digits = 0; SET datestyle = 'German'; SET intervalstyle = 'iso_8601'");
  EXPECT_EQ(Recount(), "0");
  EXPECT_EQ(CountAgain(), "0");
}

TEST_F(RecountTest, O09FailedDaysThatAreTriedAgainAreCounted) {
  ExportTwo();
  Sql("UPDATE open_data_export_logs SET has_error = true, attempts = 3");
  const char* recount =
      "SELECT marked || ' ' || missed || ' ' || retried FROM open_data_recount_locations(NULL, "
      "NULL)";
  EXPECT_EQ(Ask(recount), "0 0 2");
  EXPECT_EQ(Ask(recount), "0 0 0");
}

TEST_F(RecountTest, O09SensorsThatAreSwappedBetweenLocationsAreFound) {
  ExportTwo();
  Sql("UPDATE sensors SET sensor_systems_id = 3 - sensor_systems_id WHERE sensors_id IN (11, 21)");
  EXPECT_EQ(Recount(), "2");
  Run();
  EXPECT_THAT(File(kKey), HasSubstr("1,21,Station 1"));
  EXPECT_EQ(Recount(), "0");
}

TEST_F(RecountTest, O09ASensorWithoutReadingsThatDayChangesNothing) {
  ExportTwo();
  Sql("INSERT INTO sensors VALUES (13, 1, 1)");
  EXPECT_EQ(Recount(), "0");
}

TEST_F(RecountTest, O09AnotherFormatIsFoundWhereItIsKnown) {
  ExportTwo();
  EXPECT_EQ(Recount("csv.gz"), "2");
  EXPECT_EQ(Recount("csv.gz"), "0") << "they are pending already";
  EXPECT_EQ(CountAgain(), "0") << "whatever the format";
}

TEST_F(RecountTest, O09DaysAreMarkedByLocationAndTime) {
  for (int day = 1; day <= 9; ++day) {
    AddReading(11, fmt::format("2024-01-0{}T12:00:00Z", day));
    AddReading(21, fmt::format("2024-01-0{}T12:00:00Z", day));
  }
  Run();
  EXPECT_EQ(Ask("SELECT open_data_mark('{1}', '2024-01-02', '2024-01-03')"), "(2,0)");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-02", "1/2024-01-03"));
  EXPECT_EQ(Ask("SELECT open_data_mark('{3}', NULL, NULL)"), "(0,0)");
  EXPECT_EQ(Ask("SELECT open_data_mark('{1,2}', '2024-01-09', NULL)"), "(2,0)");
  EXPECT_EQ(Ask("SELECT open_data_mark(NULL, NULL, NULL)"), "(18,0)");
  EXPECT_EQ(Run().items.size(), 18U);
  Sql("DELETE FROM measurements WHERE sensors_id = 11");
  Run();
  EXPECT_EQ(Ask("SELECT open_data_mark('{1}', NULL, NULL)"), "(0,0)")
      << "there is nothing to export";
}

TEST_F(RecountTest, O09MarkedDaysThatHaveNotSettledAreCountedApart) {
  Sql("INSERT INTO measurements SELECT 11, now() - n * interval '1 day', 1 FROM "
      "generate_series(1, 9) n");
  EXPECT_EQ(Ask("SELECT open_data_mark(NULL, NULL, NULL)"), "(9,0)");
  Must(SetSettle(*database_, std::chrono::hours(24 * 30)));
  EXPECT_EQ(Ask("SELECT open_data_mark(NULL, NULL, NULL)"), "(9,9)");
}

TEST_F(RecountTest, O04ADayThatSomebodyCountedWronglyIsRecounted) {
  ExportTwo();
  Sql("UPDATE open_data_export_logs SET records = 77, modified_on = clock_timestamp()"
      " WHERE sensor_nodes_id = 1");
  EXPECT_EQ(Ask("SELECT open_data_recount_days('{1,2,1,3}',"
                " '{2024-01-31,2024-01-31,2024-01-31,2024-01-31}')"),
            "1");
  EXPECT_EQ(Ask("SELECT records FROM open_data_export_logs WHERE sensor_nodes_id = 1"), "2");
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_export_logs"), "2") << "none of location 3";
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
}

TEST_F(RecountTest, O04ClaimsOutliveTheRecount) {
  AddReading(11, "2024-01-31T12:00:00Z");
  Sql("UPDATE open_data_export_logs SET records = 0");
  ChangeLog log(*database_, {}, {"me", "1"});
  const std::vector<LocationDay> days = Must(log.Claim(10, "infinity", {}));
  ASSERT_EQ(days.size(), 1U);
  EXPECT_EQ(Ask("SELECT open_data_recount_days('{1}', '{2024-01-31}')"), "1");
  EXPECT_EQ(Must(log.Hold(days, {})).size(), 1U);
}

TEST_F(RecountTest, O04RecountedDaysHaveTheirZonesHours) {
  AddLocation(3, "America/Sao_Paulo");  // Midnight of 2018-11-04 there was none.
  Sql("INSERT INTO measurements SELECT 31, at, 1 FROM generate_series("
      "timestamptz '2018-11-03T00:00Z', '2018-11-06T00:00Z', interval '1 hour') at");
  Sql("CREATE TEMP TABLE right_counts AS SELECT sensor_nodes_id, day, records FROM "
      "open_data_export_logs; UPDATE open_data_export_logs SET records = 999");
  EXPECT_EQ(Ask("SELECT open_data_recount_days(array_agg(sensor_nodes_id), array_agg(day)) = "
                "count(*) FROM right_counts"),
            "t");
  EXPECT_EQ(Ask("SELECT count(*) FROM right_counts JOIN open_data_export_logs log USING "
                "(sensor_nodes_id, day) WHERE log.records <> right_counts.records"),
            "0");
}

TEST_F(RecountTest, O04OnlyReadCommittedTransactionsRecount) {
  Sql("BEGIN ISOLATION LEVEL REPEATABLE READ");
  const auto refused = database_->Execute("SELECT open_data_recount_days('{1}', '{2024-01-31}')");
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("READ COMMITTED, not REPEATABLE READ"));
}

TEST_F(RecountTest, O16NobodyWaitsForARecountAndItWaitsForNobody) {
  ExportTwo();
  const auto ingest = Open();
  Must(ingest->Execute("BEGIN"));
  Must(ingest->Execute("INSERT INTO measurements VALUES (11, '2024-01-31T13:00:00Z', 1)"));
  EXPECT_EQ(Recount(), "0");
  EXPECT_EQ(Ask("SELECT open_data_recount_days('{1}', '{2024-01-31}')"), "0");

  Sql("UPDATE open_data_export_logs SET records = 7 WHERE sensor_nodes_id = 2");
  const auto recount = Open();
  Must(recount->Execute("BEGIN"));
  Must(recount->Execute("SELECT open_data_recount_locations(NULL, NULL)"));
  Must(ingest->Execute("INSERT INTO measurements VALUES (12, '2024-01-31T14:00:00Z', 1)"));
  Must(ingest->Execute("COMMIT"));
  Must(recount->Execute("COMMIT"));
  EXPECT_EQ(Ask(kMiscounted), "0");
}

TEST_F(RecountTest, O16ADayThatIsChangedWhileItIsCountedIsMissedAndCountedLater) {
  Unseen("INSERT INTO measurements VALUES (11, '2024-01-31T12:00:00Z', 1)");
  const auto ingest = Open();
  Must(ingest->Execute("BEGIN"));
  Must(ingest->Execute("INSERT INTO measurements VALUES (11, '2024-01-31T13:00:00Z', 1)"));
  std::jthread commits([&ingest] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    Must(ingest->Execute("COMMIT"));
  });
  // Waits for the row that the ingest makes, which is then none that it has counted.
  EXPECT_EQ(Ask("SELECT marked || ' ' || missed FROM open_data_recount_locations(NULL, NULL)"),
            "0 1");
  commits.join();
  EXPECT_EQ(Ask("SELECT marked || ' ' || missed FROM open_data_recount_locations(NULL, NULL)"),
            "1 0");
  EXPECT_EQ(Ask(kMiscounted), "0");
}

/// Many change readings, past the triggers and through them, while two recount.
TEST_F(RecountTest, O16NoReadingIsCountedTwiceOrNever) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Unseen(
      "INSERT INTO measurements SELECT s, timestamptz '2024-01-01T00:30Z' + n * interval '1 "
      "hour', n FROM unnest(ARRAY[11, 12, 21, 22]) s, generate_series(0, 240) n");
  std::atomic<bool> over = false;
  std::vector<std::jthread> sessions;
  for (int ingest = 0; ingest < 3; ++ingest) {
    sessions.emplace_back([this, &over, seed, ingest] {
      const auto connection = Open();
      Must(connection->Execute("SET timezone = 'UTC'"));
      Random random(seed + static_cast<uint64_t>(ingest));
      for (int step = 0; step < 150; ++step) {
        const auto hour = random.Below(300);
        const auto sensor = (random.Below(2) + 1) * 10 + random.Below(2) + 1;
        const auto when = fmt::format("timestamptz '2024-01-01T00:{}Z' + {} * interval '1 hour'",
                                      40 + ingest, hour);
        if (random.Below(4) == 0) Must(connection->Execute("BEGIN"));
        Must(connection->Execute(
            random.Below(3) == 0
                ? fmt::format("DELETE FROM measurements WHERE sensors_id = {} AND datetime = {}",
                              sensor, when)
                : fmt::format("INSERT INTO measurements VALUES ({}, {}, 1) ON CONFLICT DO NOTHING",
                              sensor, when)));
        if (connection->InTransaction()) {
          Must(connection->Execute(random.Below(3) == 0 ? "ROLLBACK" : "COMMIT"));
        }
      }
      over = true;
    });
  }
  for (const char* recount :
       {"SELECT open_data_recount_locations(NULL, NULL)",
        "SELECT open_data_recount_days(array_agg(n), array_agg(d::date)) FROM "
        "generate_series(1, 2) n, generate_series(timestamp '2024-01-01', '2024-01-14', '1 day') "
        "d"}) {
    sessions.emplace_back([this, &over, recount] {
      const auto connection = Open();
      while (!over) Must(connection->Execute(recount));
    });
  }
  sessions.clear();
  CountAgain();
  EXPECT_EQ(Ask(kMiscounted), "0");
  EXPECT_EQ(CountAgain(), "0");
}

TEST_F(RecountTest, O19ALocationTwiceInTheViewFailsAlone) {
  Sql("CREATE OR REPLACE VIEW open_data_locations AS"
      " SELECT sensor_nodes_id, site_name AS location, lat, lon, tzid AS time_zone"
      " FROM sensor_nodes JOIN timezones USING (timezones_id)"
      " UNION ALL SELECT 1, 'Twin', 3, 4, 'Asia/Tokyo'");
  for (const int sensor : {11, 21}) {
    AddReading(sensor, "2024-01-31T12:00:00Z");
    Sql(fmt::format("INSERT INTO measurements VALUES ({}, now(), 1)", sensor));
  }
  EXPECT_EQ(Recount(), "0") << "counted once";
  const Ran ran = Run();
  EXPECT_THAT(ran.items, ElementsAre("2/2024-01-31"));
  EXPECT_THAT(ran.errors,
              ElementsAre("location 1, 2024-01-31: invalid_argument: open_data_locations has it 2 "
                          "times; give it one row there"));
  EXPECT_EQ(Ask("SELECT string_agg(DISTINCT state, ' ' ORDER BY state) FROM open_data_states"),
            "exported failed open");
}

TEST_F(RecountTest, O19ASensorOfTwoLocationsFailsBoth) {
  AddLocation(3, "UTC");
  for (const int sensor : {11, 21, 31}) AddReading(sensor, "2024-01-31T12:00:00Z");
  Sql("CREATE OR REPLACE VIEW open_data_sensors AS"
      " SELECT sensors_id, sensor_nodes_id, measurand AS parameter, units"
      " FROM sensors JOIN sensor_systems USING (sensor_systems_id) JOIN measurands USING "
      "(measurands_id)"
      " UNION ALL SELECT 21, 1, 'pm25', 'µg/m³'");
  AddReading(21, "2024-01-31T13:00:00Z");
  const Ran ran = Run();
  EXPECT_THAT(ran.items, ElementsAre("3/2024-01-31"));
  EXPECT_THAT(ran.errors, ElementsAre(HasSubstr("location 1, 2024-01-31: invalid_argument: "
                                                "open_data_sensors has sensor 21 more than once"),
                                      HasSubstr("location 2, 2024-01-31: invalid_argument: "
                                                "open_data_sensors has sensor 21 more than once")));
}

TEST_F(RecountTest, O19NullsAndInfiniteTimesBelongToNoDay) {
  Sql("ALTER TABLE measurements DROP CONSTRAINT measurements_pkey,"
      " ALTER datetime DROP NOT NULL, ALTER sensors_id DROP NOT NULL;"
      "CREATE OR REPLACE VIEW open_data_locations AS"
      " SELECT sensor_nodes_id, site_name AS location, lat, lon, tzid AS time_zone"
      " FROM sensor_nodes JOIN timezones USING (timezones_id)"
      " UNION ALL SELECT NULL, NULL, NULL, NULL, NULL;"
      "CREATE OR REPLACE VIEW open_data_sensors AS"
      " SELECT sensors_id, sensor_nodes_id, measurand AS parameter, units"
      " FROM sensors JOIN sensor_systems USING (sensor_systems_id) JOIN measurands USING "
      "(measurands_id)"
      " UNION ALL SELECT NULL, 1, 'pm25', 'µg/m³' UNION ALL SELECT 99, NULL, 'pm25', 'µg/m³'");
  Sql("INSERT INTO measurements VALUES (NULL, '2024-01-31T12:00Z', 1), (11, NULL, 1),"
      " (11, 'infinity', 1), (11, '-infinity', 1), (99, '2024-01-31T12:00Z', 1),"
      " (11, '2024-01-31T12:00Z', 1)");
  EXPECT_EQ(Recount(), "0");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
  EXPECT_EQ(Recount(), "0");
  Sql("TRUNCATE measurements");
  EXPECT_EQ(Ask("SELECT sum(records) FROM open_data_export_logs"), "0");
}

TEST_F(RecountTest, O19ZonesThatAreNoneFailTheirLocationAlone) {
  AddLocation(3, "Mars/Olympus");
  AddLocation(4, "");
  Sql("ALTER TABLE timezones ALTER tzid DROP NOT NULL");
  AddLocation(5, "x");
  Sql("UPDATE timezones SET tzid = NULL WHERE timezones_id = 5");
  for (const int sensor : {11, 31, 41, 51}) AddReading(sensor, "2024-01-31T12:00:00Z");
  EXPECT_EQ(Recount(), "0");
  const Ran ran = Run();
  EXPECT_THAT(ran.items, ElementsAre("1/2024-01-31"));
  EXPECT_EQ(ran.errors.size(), 3U);
  for (const std::string& error : ran.errors)
    EXPECT_THAT(error, HasSubstr("is no name of a time zone"));
  EXPECT_EQ(Recount(), "0");
}

TEST_F(RecountTest, O02ASensorMayHaveALocationTextOfItsOwn) {
  Sql("CREATE OR REPLACE VIEW open_data_sensors AS"
      " SELECT sensors_id, sensor_nodes_id, measurand AS parameter, units,"
      "   CASE WHEN sensors_id <> 22 THEN 'Site-' || sensors_id END AS location"
      " FROM sensors JOIN sensor_systems USING (sensor_systems_id) JOIN measurands USING "
      "(measurands_id)");
  ExportTwo();
  EXPECT_THAT(File(kKey), HasSubstr("1,11,Site-11,"));
  EXPECT_THAT(File(kKey), HasSubstr("1,12,Site-12,"));
  EXPECT_THAT(File("records/csv/locationid=2/year=2024/month=01/location-2-20240131.csv"),
              HasSubstr("2,22,Station 2,"));
}

}  // namespace
}  // namespace spillway::recipe::open_data
