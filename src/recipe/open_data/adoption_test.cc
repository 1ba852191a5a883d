#include "recipe/open_data/open_data_fixture.h"

namespace spillway::recipe::open_data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// What another exporter's deploy makes, and makes again, in the search_path's first schema.
constexpr char kTheirDeploy[] = R"sql(
  CREATE TABLE IF NOT EXISTS open_data_export_logs (
    sensor_nodes_id int NOT NULL, day date NOT NULL, records int NOT NULL, measurands int NOT NULL,
    added_on timestamptz DEFAULT now(), modified_on timestamptz DEFAULT now(), queued_on timestamptz,
    exported_on timestamptz, has_error boolean DEFAULT false, key text, version int,
    checked_on timestamptz, metadata json, UNIQUE (sensor_nodes_id, day));
  DROP FUNCTION IF EXISTS get_pending(int);
  CREATE FUNCTION get_pending(most int = 100) RETURNS TABLE (node int, pending date) LANGUAGE sql AS
    'SELECT sensor_nodes_id, day FROM open_data_export_logs WHERE exported_on IS NULL LIMIT most';
  DROP VIEW IF EXISTS open_data_export_status;
  CREATE VIEW open_data_export_status AS SELECT count(*) AS n FROM open_data_export_logs)sql";

constexpr char kViews[] = R"sql(
  CREATE VIEW spillway_open_data.open_data_locations AS
    SELECT sensor_nodes_id, site_name AS location, lat, lon, tzid AS time_zone
    FROM sensor_nodes JOIN timezones USING (timezones_id);
  CREATE VIEW spillway_open_data.open_data_sensors AS
    SELECT sensors_id, sensor_nodes_id, measurand AS parameter, units
    FROM sensors JOIN sensor_systems USING (sensor_systems_id) JOIN measurands USING (measurands_id);
  CREATE VIEW spillway_open_data.open_data_measurements AS
    SELECT sensors_id, datetime, value, lat, lon FROM measurements)sql";

/// Beside another exporter: its log, its get_pending, in the schema where ours would be.
class AdoptionTest : public OpenDataTest {
 protected:
  AdoptionTest() {
    Sql("SELECT open_data_untrack('measurements')");
    // As if Spillway had never been there.
    Sql("DROP VIEW open_data_summary, open_data_states, open_data_locations, open_data_sensors,"
        " open_data_measurements; DROP TABLE open_data_migrations, open_data_settings,"
        " open_data_lost_claims, open_data_removals, open_data_removing;"
        "DO $$ DECLARE f regprocedure; BEGIN FOR f IN SELECT oid FROM pg_proc WHERE proname LIKE "
        "'open\\_data\\_%' OR proname = 'get_pending' LOOP EXECUTE format('DROP FUNCTION %s "
        "CASCADE',"
        " f); END LOOP; END $$; DROP TABLE open_data_export_logs");
    Sql(kTheirDeploy);
    AddLocation(1, "UTC");
  }

  void Migrate() {
    Must(MigrateLog(*database_));
    Sql(kViews);
    Must(GrantLog(*database_, "postgres", "postgres"));
    Sql("SELECT spillway_open_data.open_data_track('measurements')");
  }
  std::string Recount(const std::string& formats = "csv") {
    return Ask("SELECT marked FROM spillway_open_data.open_data_recount_locations(NULL, '" +
               formats + "')");
  }
  /// How many days were taken over, are elsewhere, and are of locations that no view shows.
  std::string Adopt(const std::string& formats) {
    return Ask(
        "SELECT adopted || ' ' || elsewhere || ' ' || hidden FROM "
        "spillway_open_data.open_data_adopt('public.open_data_export_logs', '{1,2,7}', '{" +
        formats + "}')");
  }
  void TheyExported(int location, const std::string& key) {
    Sql(
        fmt::format("INSERT INTO public.open_data_export_logs (sensor_nodes_id, day, records, "
                    "measurands, modified_on, exported_on, key) VALUES ({}, '2024-01-10', 1, 1, "
                    "'2024-02-01', '2024-02-02', '{}')",
                    location, key));
  }
};

TEST_F(AdoptionTest, O03TheLogIsMadeInASchemaOfItsOwn) {
  EXPECT_EQ(Must(LogSchema(*database_)), "spillway_open_data");
  Migrate();
  EXPECT_EQ(Must(LogVersion(*database_)), LogVersionKnown());
  EXPECT_EQ(Must(MigrateLog(*database_)), LogVersionKnown()) << "again";
  EXPECT_EQ(Ask("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relname LIKE 'open_data%' AND relkind IN ('r', 'v')"),
            "2");
  AddReading(11, "2024-01-31T12:00:00Z");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
  EXPECT_EQ(Ask("SELECT state FROM spillway_open_data.open_data_states"), "exported");
}

TEST_F(AdoptionTest, O03TheirNextDeployHarmsNeither) {
  Migrate();
  AddReading(11, "2024-01-31T12:00:00Z");
  Sql(kTheirDeploy);
  Sql("INSERT INTO open_data_export_logs VALUES (1, '2024-01-31', 9, 1)");
  EXPECT_EQ(Ask("SELECT count(*) FROM get_pending(5)"), "1") << "theirs";
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
  Must(MigrateLog(*database_));
  Must(GrantLog(*database_, "postgres", "postgres"));
  AddReading(11, "2024-01-31T13:00:00Z");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
  EXPECT_EQ(Ask("SELECT records FROM spillway_open_data.open_data_export_logs"), "2");
  EXPECT_EQ(Ask("SELECT records FROM public.open_data_export_logs"), "9");
}

TEST_F(AdoptionTest, O03RolesSeeTheLogWhateverTheirSearchPath) {
  Migrate();
  Sql("DROP ROLE IF EXISTS adopt_reader; DROP ROLE IF EXISTS adopt_writer;"
      "CREATE ROLE adopt_reader LOGIN; CREATE ROLE adopt_writer LOGIN;"
      "ALTER ROLE adopt_reader SET search_path = nowhere;"
      // What a role could put before ours, if a session looked there.
      "CREATE FUNCTION public.open_data_hold(text, bigint[], date[], interval DEFAULT '1h')"
      " RETURNS TABLE (sensor_nodes_id bigint, day date) LANGUAGE sql AS 'SELECT 1, now()::date';"
      "CREATE FUNCTION public.open_data_zone(text) RETURNS text LANGUAGE sql AS $$ SELECT "
      "'Asia/Tokyo' $$");
  Must(GrantLog(*database_, "adopt_reader", "adopt_writer"));
  options_.read_address = Url("adopt_reader");
  options_.write_address = Url("adopt_writer");
  AddReading(11, "2024-01-31T23:00:00Z");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
  const auto writer = Open("adopt_writer");
  EXPECT_TRUE(
      writer->Execute("SELECT spillway_open_data.open_data_recount_days('{1}', '{2024-01-31}')")
          .has_value());
  for (const char* forbidden :
       {"SELECT spillway_open_data.open_data_recount_locations(NULL, NULL)",
        "TABLE spillway_open_data.open_data_export_logs",
        "CREATE TABLE spillway_open_data.mine (a int)",
        "SELECT spillway_open_data.open_data_upsert('{1}', '{2024-01-31}', '{1}')"}) {
    const auto refused = writer->Execute(forbidden);
    ASSERT_FALSE(refused.has_value()) << forbidden;
    EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied) << forbidden;
  }
  Sql("DROP OWNED BY adopt_reader; DROP OWNED BY adopt_writer; DROP ROLE adopt_reader;"
      "DROP ROLE adopt_writer");
}

TEST_F(AdoptionTest, O03ASchemaMayBeNamed) {
  const auto theirs = MigrateLog(*database_, "public");
  ASSERT_FALSE(theirs.has_value());
  EXPECT_THAT(theirs.error().message,
              HasSubstr("schema public has an open_data_export_logs of another exporter"));
  Must(MigrateLog(*database_, "Our \"Exports\""));
  EXPECT_EQ(Must(LogVersion(*database_, "Our \"Exports\"")), LogVersionKnown());
  EXPECT_EQ(Must(LogVersion(*database_)), 0);
}

TEST_F(AdoptionTest, O03AViewInAnotherSchemaIsNamed) {
  Must(MigrateLog(*database_));
  Sql("CREATE VIEW public.open_data_locations AS SELECT 1 AS one");
  EXPECT_THAT(GrantLog(*database_, "postgres", "postgres").error().message,
              HasSubstr("there is open_data_locations; run: ALTER VIEW open_data_locations SET "
                        "SCHEMA spillway_open_data"));
}

TEST_F(AdoptionTest, O03WhatWasExportedIsTakenOverAndNotExportedAgain) {
  for (int day = 10; day <= 14; ++day) AddReading(11, fmt::format("2024-01-{}T12:00:00Z", day));
  const std::string key = "records/csv/locationid=1/year=2024/month=01/location-1-20240110.csv";
  Sql("INSERT INTO open_data_export_logs (sensor_nodes_id, day, records, measurands, modified_on,"
      " exported_on, has_error, key) VALUES"
      " (1, '2024-01-10', 1, 1, '2024-02-01', '2024-02-02', false, '" +
      key +
      "'),"
      " (1, '2024-01-11', 1, 1, '2024-02-01', '2024-02-02', null, null),"
      " (1, '2024-01-12', 9, 1, '2024-02-01', '2024-02-02', false, null),"  // A wrong count.
      " (1, '2024-01-13', 1, 1, '2024-02-03', '2024-02-02', false, null),"  // Changed since.
      " (1, '2024-01-14', 1, 1, '2024-02-01', '2024-02-02', true, null),"   // Failed.
      " (1, '2024-01-15', 1, 1, '2024-02-01', null, false, null)");         // Never exported.
  Migrate();
  EXPECT_EQ(Adopt("csv"), "3 0 0");
  EXPECT_EQ(Adopt("csv"), "0 0 0");
  EXPECT_EQ(Ask("SELECT string_agg(DISTINCT key, ' ') FROM spillway_open_data.open_data_export_logs"
                " WHERE day <= '2024-01-11'"),
            key + " records/csv/locationid=1/year=2024/month=01/location-1-20240111.csv");
  EXPECT_EQ(Recount(), "3");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-12", "1/2024-01-13", "1/2024-01-14"));
  EXPECT_EQ(Recount(), "0");
  Sql("DELETE FROM measurements WHERE datetime = '2024-01-10T12:00Z'");
  EXPECT_THAT(Run().errors, ElementsAre(HasSubstr("has no readings")));
}

constexpr char kTheirKey[] = "records/csv/locationid=1/year=2024/month=01/location-1-20240110.csv";

TEST_F(AdoptionTest, O03FilesThatThisExporterWouldNotWriteAreNotTakenOver) {
  AddReading(11, "2024-01-10T12:00:00Z");
  TheyExported(1, kTheirKey);
  Migrate();
  EXPECT_EQ(Adopt("csv.gz"), "0 1 0") << "of another format";
  Sql("UPDATE public.open_data_export_logs SET key = 'old/' || key");
  EXPECT_EQ(Adopt("csv"), "0 1 0") << "in another place";
  EXPECT_EQ(Recount(), "1");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-10"));
  EXPECT_EQ(Adopt("csv"), "0 0 0") << "this log has it by now";
}

TEST_F(AdoptionTest, O03ADayCountsAsExportedOnceItHasEveryFormat) {
  AddReading(11, "2024-01-10T12:00:00Z");
  TheyExported(1, kTheirKey);
  Migrate();
  EXPECT_EQ(Adopt("parquet,csv"), "1 0 0");
  EXPECT_EQ(Recount("csv"), "0");
  EXPECT_EQ(Recount("csv,parquet"), "1");
  options_.formats = {"csv", "parquet"};
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-10", "1/2024-01-10"));
  EXPECT_EQ(Recount("csv,parquet"), "0");
}

TEST_F(AdoptionTest, O03ARowThatDoesNotSayItsFormatsDiffers) {
  AddReading(11, "2024-01-10T12:00:00Z");
  Migrate();
  EXPECT_EQ(Recount(), "1");
  Run();
  Sql("UPDATE spillway_open_data.open_data_export_logs SET metadata = metadata - 'formats'");
  EXPECT_EQ(Recount(), "1");
}

TEST_F(AdoptionTest, O03LocationsThatNoViewShowsAreNotTakenOver) {
  TheyExported(7, "records/csv/locationid=7/year=2024/month=01/location-7-20240110.csv");
  Migrate();
  EXPECT_EQ(Adopt("csv"), "0 0 1");
  EXPECT_EQ(Recount(), "0");
  EXPECT_EQ(Ask("SELECT spillway_open_data.open_data_look_for_emptied()"), "0");
}

TEST_F(AdoptionTest, O10AViewThatTheTriggersCannotReadIsRefused) {
  Must(MigrateLog(*database_));
  Sql(kViews);
  Sql("CREATE FUNCTION zone_of(zone text) RETURNS text LANGUAGE sql STABLE AS"
      " 'SELECT tzid::text FROM timezones WHERE tzid = zone';"
      "CREATE OR REPLACE VIEW spillway_open_data.open_data_locations AS"
      " SELECT sensor_nodes_id, site_name AS location, lat, lon, zone_of(tzid) AS time_zone"
      " FROM sensor_nodes JOIN timezones USING (timezones_id)");
  const char* track = "SELECT spillway_open_data.open_data_track('measurements')";
  const auto refused = database_->Execute(track);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message,
              HasSubstr("spillway_open_data.open_data_locations cannot be read with search_path = "
                        "spillway_open_data, as triggers read it: relation \"timezones\" does not "
                        "exist"));
  EXPECT_THAT(refused.error().message, HasSubstr("ALTER FUNCTION zone_of(...) SET search_path"));
  AddReading(11, "2024-01-10T12:00:00Z");
  Sql("ALTER FUNCTION zone_of(text) SET search_path = public");
  Sql(track);
  AddReading(11, "2024-01-11T12:00:00Z");
  EXPECT_EQ(Ask("SELECT sum(records) FROM spillway_open_data.open_data_export_logs"), "1");
}

TEST_F(AdoptionTest, O10WhatIsRefusedSaysWhoReadsTheView) {
  Must(MigrateLog(*database_));
  Sql(kViews);
  AddReading(11, "2024-01-10T12:00:00Z");
  const auto refused = [this](const std::string& body) {
    Sql("CREATE OR REPLACE FUNCTION scaled(value float8) RETURNS float8 LANGUAGE sql STABLE AS '" +
        body +
        "'; CREATE OR REPLACE VIEW spillway_open_data.open_data_measurements AS"
        " SELECT sensors_id, datetime, scaled(value) AS value, lat, lon FROM measurements");
    const auto tracked =
        database_->Execute("SELECT spillway_open_data.open_data_track('measurements')");
    return tracked.has_value() ? "(tracked)" : tracked.error().message;
  };
  EXPECT_THAT(refused("SELECT value * count(*) FROM timezones"),
              HasSubstr("open_data_measurements cannot be read with search_path = "
                        "spillway_open_data, as recounts read it: relation"));
  const std::string other = refused("SELECT value / (value - value)");
  EXPECT_THAT(other, HasSubstr("division by zero"));
  EXPECT_THAT(other, Not(HasSubstr("search_path")));
}

TEST_F(AdoptionTest, O11AnIngestMaySayItselfWhatItChanged) {
  Migrate();
  Sql("SELECT spillway_open_data.open_data_untrack('measurements');"
      "DROP ROLE IF EXISTS adopt_ingest; CREATE ROLE adopt_ingest LOGIN;"
      "GRANT USAGE ON SCHEMA spillway_open_data TO adopt_ingest;"
      "GRANT EXECUTE ON FUNCTION spillway_open_data.open_data_changed(bigint[], timestamptz[], int)"
      " TO adopt_ingest");
  const auto ingest = Open("adopt_ingest");
  const auto say = [&ingest](int sign) {
    Must(ingest->Execute(
        fmt::format("SELECT spillway_open_data.open_data_changed(ARRAY[11, 12],"
                    " ARRAY['2024-01-31T10:00Z', '2024-02-01T00:00Z']::timestamptz[], {})",
                    sign)));
  };
  say(1);
  const char* logged =
      "SELECT string_agg(day || ' ' || records, ' ') FROM spillway_open_data.open_data_export_logs";
  EXPECT_EQ(Ask(logged), "2024-01-31 2");
  say(0);
  EXPECT_EQ(Ask(logged), "2024-01-31 2");
  say(-1);
  EXPECT_EQ(Ask(logged), "2024-01-31 0");
  EXPECT_FALSE(ingest->Execute("TABLE spillway_open_data.open_data_sensors").has_value());
  Sql("DROP OWNED BY adopt_ingest; DROP ROLE adopt_ingest");
}

}  // namespace
}  // namespace spillway::recipe::open_data
