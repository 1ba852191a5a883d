#include "recipe/open_data/open_data_fixture.h"

namespace spillway::recipe::open_data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TrackingTest : public OpenDataTest {
 protected:
  TrackingTest() {
    Sql("SET timezone = 'UTC'");
    AddLocation(1, "UTC");
  }

  /// Measurements by month, as OpenAQ's; the month of March comes later.
  void Partition() {
    Sql("DROP VIEW open_data_measurements; DROP TABLE measurements;"
        "CREATE TABLE measurements (sensors_id int, datetime timestamptz, value float8, lat float8,"
        " lon float8, PRIMARY KEY (sensors_id, datetime)) PARTITION BY RANGE (datetime);"
        "CREATE TABLE january PARTITION OF measurements FOR VALUES FROM ('2024-01-01') TO "
        "('2024-02-01');"
        "CREATE TABLE february PARTITION OF measurements FOR VALUES FROM ('2024-02-01') TO "
        "('2024-03-01') PARTITION BY HASH (sensors_id);"
        "CREATE TABLE february_0 PARTITION OF february FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
        "CREATE VIEW open_data_measurements AS SELECT * FROM measurements;"
        "SELECT open_data_track('measurements')");
  }
  void AddMarch() {
    Sql("CREATE TABLE march PARTITION OF measurements FOR VALUES FROM ('2024-03-01') TO "
        "('2024-04-01')");
  }

  std::string Logged() {
    return Ask("SELECT coalesce(sum(records), 0) FROM open_data_export_logs");
  }
  std::string Refused(const std::string& table) {
    const auto tracked = database_->Execute("SELECT open_data_track($1::regclass)", {table});
    return tracked.has_value() ? "(tracked)" : tracked.error().message;
  }
};

TEST_F(TrackingTest, O10WhatCannotBeTrackedIsRefused) {
  EXPECT_THAT(Refused("sensors"), HasSubstr("sensors cannot be tracked, for it needs the columns "
                                            "sensors_id (an integer) and datetime (timestamp with "
                                            "time zone): datetime is not there; track the table"));
  Sql("INSERT INTO sensors VALUES (77, 1, 1)");
  Sql("CREATE TABLE local_times (sensors_id text, datetime timestamp)");
  EXPECT_THAT(
      Refused("local_times"),
      HasSubstr("sensors_id is of type text, datetime is of type timestamp without time zone"));
  EXPECT_THAT(Refused("open_data_measurements"), HasSubstr("open_data_measurements is no table"));
  EXPECT_THAT(Refused("measurements_pkey"), HasSubstr("measurements_pkey is no table"));
  Partition();
  EXPECT_THAT(Refused("january"), HasSubstr("january is a partition: track measurements"));
}

TEST_F(TrackingTest, O10TrackingIsRepeatableAndCanBeEnded) {
  Sql("SELECT open_data_track('measurements'); SELECT open_data_track('measurements')");
  AddReading(11, "2024-01-31T12:00:00Z");
  EXPECT_EQ(Logged(), "1");
  EXPECT_EQ(Ask("SELECT string_agg(t::text, ' ') FROM open_data_tracked() t"), "measurements");
  EXPECT_EQ(Ask("SELECT open_data_untrack('measurements')"), "t");
  EXPECT_EQ(Ask("SELECT open_data_untrack('measurements')"), "f");
  AddReading(11, "2024-01-31T13:00:00Z");
  EXPECT_EQ(Logged(), "1");
  Sql("SELECT open_data_track('measurements'); DELETE FROM measurements WHERE value = 1");
  EXPECT_EQ(Logged(), "0") << "never less, though one was not seen to come";
  EXPECT_EQ(CountAgain(), "0");
}

TEST_F(TrackingTest, O10TriggersThatWereDisabledAreEnabled) {
  Partition();
  Sql("ALTER TABLE measurements DISABLE TRIGGER USER;"
      "ALTER TABLE january ENABLE REPLICA TRIGGER open_data_came;"
      "ALTER TABLE february_0 ENABLE ALWAYS TRIGGER open_data_came;"
      "SELECT open_data_track('measurements');"
      "INSERT INTO measurements VALUES (11, '2024-01-31T12:00Z', 1);"
      "INSERT INTO january VALUES (11, '2024-01-31T13:00Z', 1);"
      "INSERT INTO february_0 VALUES (11, '2024-02-01T12:00Z', 1)");
  EXPECT_EQ(Logged(), "3");
  EXPECT_EQ(Ask("SELECT string_agg(DISTINCT tgenabled, ' ' ORDER BY tgenabled) FROM pg_trigger "
                "WHERE tgname LIKE 'open_data%'"),
            "A O");
}

TEST_F(TrackingTest, O10ATableOfAnotherLogIsRefused) {
  Sql("CREATE SCHEMA other; CREATE VIEW other.open_data_locations AS TABLE open_data_locations;"
      "CREATE VIEW other.open_data_sensors AS TABLE open_data_sensors;"
      "CREATE VIEW other.open_data_measurements AS TABLE open_data_measurements");
  Must(MigrateLog(*database_, "other"));
  const auto tracked = database_->Execute("SELECT other.open_data_track('measurements')");
  ASSERT_FALSE(tracked.has_value());
  EXPECT_THAT(tracked.error().message, HasSubstr("measurements is tracked for another export log"));
}

TEST_F(TrackingTest, O11OldHypertablesAreRefused) {
  Sql("CREATE SCHEMA _timescaledb_catalog;"
      "CREATE TABLE _timescaledb_catalog.hypertable (schema_name name, table_name name);"
      "CREATE TABLE plain (LIKE measurements); SELECT open_data_untrack('measurements');"
      "INSERT INTO _timescaledb_catalog.hypertable VALUES ('public', 'measurements')");
  EXPECT_EQ(Refused("plain"), "(tracked)");
  const std::string refused = Refused("measurements");
  EXPECT_THAT(refused, HasSubstr("measurements is a hypertable of a TimescaleDB before 2.18"));
  EXPECT_THAT(refused, HasSubstr("let its ingest call public.open_data_changed(sensors_ids, "
                                 "datetimes, sign) in its transaction"));
  Sql("DROP SCHEMA _timescaledb_catalog CASCADE; CREATE SCHEMA timescaledb_information;"
      "CREATE VIEW timescaledb_information.hypertables AS"
      " SELECT name 'public' AS hypertable_schema, name 'measurements' AS hypertable_name");
  EXPECT_THAT(Refused("measurements"), HasSubstr("is a hypertable"));
  AddReading(11, "2024-01-31T12:00:00Z");
  EXPECT_EQ(Logged(), "0") << "no trigger was left";
}

TEST_F(TrackingTest, O12RowsStraightIntoAPartitionAreSeen) {
  Partition();
  Sql("INSERT INTO january VALUES (11, '2024-01-31T12:00Z', 1);"
      "INSERT INTO february_0 VALUES (11, '2024-02-01T12:00Z', 1);"
      "INSERT INTO february VALUES (12, '2024-02-01T12:00Z', 1);"
      "INSERT INTO measurements VALUES (12, '2024-01-31T12:00Z', 1)");
  EXPECT_EQ(Logged(), "4");
  Sql("UPDATE measurements SET datetime = '2024-02-02T12:00Z' WHERE datetime < '2024-02-01'");
  EXPECT_EQ(Ask("SELECT string_agg(to_char(day, 'MMDD') || ':' || records, ' ' ORDER BY day) FROM "
                "open_data_export_logs"),
            "0131:0 0201:2 0202:2");
  Sql("DELETE FROM february_0 WHERE sensors_id = 11");
  EXPECT_EQ(Logged(), "2");
  EXPECT_EQ(CountAgain(), "0");
}

TEST_F(TrackingTest, O12APartitionThatIsNewIsSeenOnceItIsTracked) {
  Partition();
  AddMarch();
  Sql("INSERT INTO measurements VALUES (11, '2024-03-01T12:00Z', 1)");
  EXPECT_EQ(Logged(), "1") << "through the parent";
  Sql("INSERT INTO march VALUES (11, '2024-03-01T13:00Z', 1)");
  EXPECT_EQ(Logged(), "1");
  Sql("SELECT open_data_track('measurements')");
  EXPECT_EQ(CountAgain(), "1");
  Sql("INSERT INTO march VALUES (11, '2024-03-01T14:00Z', 1)");
  EXPECT_EQ(Logged(), "3");
}

TEST_F(TrackingTest, O12TruncateTakesAwayWhatWasThere) {
  Partition();
  AddMarch();
  Sql("INSERT INTO measurements SELECT 11, timestamptz '2024-01-01T12:00Z' + n * interval '1 day', "
      "1 FROM generate_series(0, 79) n");
  EXPECT_EQ(Logged(), "80");
  Sql("TRUNCATE january");
  EXPECT_EQ(Logged(), "49");
  EXPECT_EQ(Ask("SELECT max(records) FROM open_data_export_logs WHERE day < '2024-02-01'"), "0");
  Sql("TRUNCATE measurements");
  EXPECT_EQ(Logged(), "0") << "March's too, which has no trigger of its own";
  EXPECT_EQ(CountAgain(), "0");
}

TEST_F(TrackingTest, O12TruncateOfATableOnlyLeavesTheReadingsOfItsChildren) {
  Sql("CREATE TABLE child () INHERITS (measurements);"
      "INSERT INTO measurements VALUES (11, '2024-01-31T12:00Z', 1);"
      "INSERT INTO child VALUES (11, '2024-01-31T13:00Z', 1)");
  EXPECT_EQ(CountAgain(), "1") << "nobody saw the child's";
  Sql("TRUNCATE ONLY measurements");
  EXPECT_EQ(Logged(), "1");
  Sql("TRUNCATE measurements");
  EXPECT_EQ(Logged(), "0");
}

TEST_F(TrackingTest, O12TruncateCountsALeafBelowATrackedPartitionOnce) {
  Partition();
  Sql("DROP TABLE february_0; CREATE TABLE february_1 PARTITION OF february FOR VALUES WITH "
      "(MODULUS 1, REMAINDER 0);"
      "INSERT INTO measurements VALUES (11, '2024-02-01T12:00Z', 1), (12, '2024-02-01T12:00Z', 1)");
  EXPECT_EQ(Logged(), "2");
  Sql("TRUNCATE measurements");
  EXPECT_EQ(Logged(), "0");
}

TEST_F(TrackingTest, O12NoCountGoesBelowZero) {
  AddReading(11, "2024-01-31T12:00:00Z");
  AddReading(11, "2024-01-30T12:00:00Z");
  EXPECT_EQ(Run().items.size(), 2U);
  Sql("UPDATE open_data_export_logs SET records = 0");
  Sql("DELETE FROM measurements");
  EXPECT_EQ(Logged(), "0");
  EXPECT_EQ(Ask("SELECT open_data_look_for_emptied()"), "2") << "what delete_max guards";
  EXPECT_EQ(State(1, "2024-01-31"), "pending");
  Sql("DELETE FROM open_data_export_logs");
  Sql("SELECT open_data_upsert('{1}', '{2024-01-31}', '{-3}')");
  EXPECT_EQ(Logged(), "0");
}

TEST_F(TrackingTest, O12TruncateOfOneOfTwoTablesLeavesTheOthersReadings) {
  Sql("CREATE TABLE analyses (LIKE measurements); SELECT open_data_track('analyses');"
      "CREATE OR REPLACE VIEW open_data_measurements AS"
      " SELECT sensors_id, datetime, value, lat, lon FROM measurements UNION ALL"
      " SELECT sensors_id, datetime, value, lat, lon FROM analyses;"
      "INSERT INTO analyses VALUES (11, '2024-01-31T12:00Z', 1)");
  AddReading(11, "2024-01-31T13:00:00Z");
  Sql("TRUNCATE measurements");
  EXPECT_EQ(Logged(), "1");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
}

TEST_F(TrackingTest, O12WhatIsDetachedIsFoundByARecount) {
  Partition();
  Sql("INSERT INTO measurements VALUES (11, '2024-01-31T12:00Z', 1), (11, '2024-02-01T12:00Z', 1)");
  Sql("ALTER TABLE measurements DETACH PARTITION january");
  EXPECT_EQ(Logged(), "2");
  EXPECT_EQ(CountAgain(), "1");
  EXPECT_EQ(Logged(), "1");
}

}  // namespace
}  // namespace spillway::recipe::open_data
