#include "recipe/open_data/open_data.h"

#include "envelope/envelope.h"
#include "recipe/open_data/open_data_fixture.h"

namespace spillway::recipe::open_data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kKey = "records/csv/locationid=1/year=2024/month=01/location-1-20240131.csv";
const std::string kHeader =
    "location_id,sensors_id,location,datetime,lat,lon,parameter,units,value\r\n";

TEST_F(OpenDataTest, ADayBecomesAFileInItsLocalTime) {
  AddLocation(1, "Europe/Vienna");
  AddReading(11, "2024-01-31T00:00:00+01", 1);  // Ends the day before.
  AddReading(11, "2024-01-31T01:00:00+01", 2.5);
  AddReading(12, "2024-01-31T23:59:59.25+01", 3);
  AddReading(12, "2024-02-01T00:00:00+01", 4);  // Ends this day.
  Sql("UPDATE measurements SET lat = 7, lon = 8 WHERE value = 3");
  const Ran ran = Run();
  EXPECT_THAT(ran.items, ElementsAre("1/2024-01-30", "1/2024-01-31"));
  EXPECT_EQ(File(kKey), kHeader +
                            "1,11,Station 1,2024-01-31T01:00:00+01:00,1.5,-2.25,pm25,µg/m³,2.5\r\n"
                            "1,12,Station 1,2024-01-31T23:59:59.250000+01:00,7.0,8.0,o3,ppm,3.0\r\n"
                            "1,12,Station 1,2024-02-01T00:00:00+01:00,1.5,-2.25,o3,ppm,4.0\r\n");
  EXPECT_EQ(State(1, "2024-01-31"), "exported");
  EXPECT_EQ(Ask("SELECT records || ' ' || measurands || ' ' || version || ' ' || key FROM "
                "open_data_export_logs WHERE day = '2024-01-31'"),
            "3 2 1 " + kKey);
  EXPECT_THAT(Run().items, IsEmpty()) << "nothing has changed";
}

TEST_F(OpenDataTest, O7NamesThatAreMissingAreAbsent) {
  AddLocation(1, "Europe/Vienna");
  AddReading(11, "2024-01-31T01:00:00+01", 14);
  Sql("ALTER TABLE sensor_nodes ALTER site_name DROP NOT NULL;"
      "ALTER TABLE measurands ALTER units DROP NOT NULL;"
      "UPDATE sensor_nodes SET site_name = NULL; UPDATE measurands SET units = NULL");
  Run();
  EXPECT_EQ(File(kKey), kHeader + "1,11,,2024-01-31T01:00:00+01:00,1.5,-2.25,pm25,,14.0\r\n");
}

TEST_F(OpenDataTest, ADayMayBeginWithTheReadingAtMidnight) {
  options_.time_ending = false;
  EXPECT_TRUE(Must(SetDayBound(*database_, false)));
  EXPECT_FALSE(Must(SetDayBound(*database_, false)));
  AddLocation(1, "Europe/Vienna");
  AddReading(11, "2024-01-31T00:00:00+01");
  AddReading(11, "2024-01-31T23:59:59.999999+01");
  AddReading(11, "2024-02-01T00:00:00+01");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31", "1/2024-02-01"));
}

TEST_F(OpenDataTest, SeveralFormatsComeFromOneRead) {
  options_.formats = {"csv", "csv.gz", "parquet"};
  AddLocation(1, "Asia/Kathmandu");
  AddReading(11, "2024-01-31T12:00:00+05:45");
  EXPECT_EQ(Run().counts.written, 1);
  EXPECT_THAT(
      Keys(),
      ElementsAre("records/csv.gz/locationid=1/year=2024/month=01/location-1-20240131.csv.gz", kKey,
                  "records/parquet/locationid=1/year=2024/month=01/"
                  "location-1-20240131.parquet"));
  EXPECT_THAT(File(kKey), HasSubstr("2024-01-31T12:00:00+05:45"));
  EXPECT_TRUE(File(Keys()[2]).starts_with("PAR1"));
  EXPECT_TRUE(File(Keys()[0]).starts_with("\x1f\x8b"));
}

TEST_F(OpenDataTest, TheSameReadingsAreTheSameBytes) {
  options_.formats = {"csv.gz", "parquet"};
  AddLocation(1, "Asia/Tokyo");
  for (int hour = 1; hour < 24; ++hour) {
    AddReading(11, fmt::format("2024-01-31T{:02}:00:00+09", hour), hour / 7.0);
  }
  Run();
  const std::string gz = File(Keys()[0]);
  const std::string parquet = File(Keys()[1]);
  Sql("UPDATE measurements SET value = value");
  EXPECT_EQ(Run().counts.written, 1);
  EXPECT_EQ(File(Keys()[0]), gz);
  EXPECT_EQ(File(Keys()[1]), parquet);
}

TEST_F(OpenDataTest, TheOrderOfEqualTimesIsNotThatOfTheDisk) {
  options_.formats = {"csv", "parquet"};
  AddLocation(1, "Asia/Tokyo");
  Sql("ALTER TABLE measurements DROP CONSTRAINT measurements_pkey");
  std::vector<std::string> readings;
  for (const char* place : {"1, 2", "2, 1", "1, 3", "NULL, NULL", "0, 0", "'-0', 0", "0, '-0'"}) {
    for (const char* value : {"1", "0", "'-0'", "'NaN'"})
      readings.push_back(
          fmt::format("INSERT INTO measurements SELECT 11, '2024-01-31T01:00:00+09', value::float8,"
                      " lat::float8, lon::float8 FROM (VALUES ({}, {})) AS r(value, lat, lon)",
                      value, place));
  }
  std::vector<std::string> first;
  for (int round = 0; round < 2; ++round) {
    Sql("TRUNCATE measurements");
    for (const std::string& reading : readings) Sql(reading);
    CountAgain();
    Run();
    ASSERT_EQ(Keys().size(), 2U);
    const std::vector<std::string> files = {File(Keys()[0]), File(Keys()[1])};
    if (round == 0) first = files;
    EXPECT_TRUE(files == first) << files[0] << first[0];
    std::ranges::reverse(readings);
  }
}

TEST_F(OpenDataTest, DaysThatAreNotOverWaitInTheirOwnZone) {
  AddLocation(1, "Pacific/Kiritimati");  // UTC+14
  AddLocation(2, "Pacific/Pago_Pago");   // UTC-11
  Sql("INSERT INTO measurements SELECT s, now(), 1 FROM unnest(ARRAY[11, 21]) s");
  EXPECT_THAT(Run().items, IsEmpty());
  EXPECT_EQ(Ask("SELECT string_agg(DISTINCT state, ',') FROM open_data_states"), "open");
  Sql("INSERT INTO measurements SELECT s, now() - interval '24 hours', 1 FROM unnest(ARRAY[11, "
      "21]) s");
  EXPECT_EQ(Run().items.size(), 2U);
}

TEST_F(OpenDataTest, AnEmptyDayHasNoFile) {
  AddLocation(1, "UTC");
  AddReading(11, "2024-01-31T12:00:00Z");
  Run();
  ASSERT_THAT(Keys(), ElementsAre(kKey));
  Sql("DELETE FROM measurements");
  const Ran ran = Run();
  EXPECT_THAT(ran.errors, ElementsAre("location 1, 2024-01-31: excluded: has no readings; there is "
                                      "no file of it"));
  EXPECT_THAT(Keys(), IsEmpty());
  EXPECT_EQ(State(1, "2024-01-31"), "exported");
  EXPECT_EQ(Ask("SELECT records || coalesce(key, ' no key') FROM open_data_export_logs"),
            "0 no key");
}

TEST_F(OpenDataTest, AFileOfAFormNoLongerWrittenGoes) {
  AddLocation(1, "UTC");
  AddReading(11, "2024-01-31T12:00:00Z");
  Run();
  options_.formats = {"csv.gz"};
  AddReading(11, "2024-01-31T13:00:00Z");
  const auto other = Must(OpenData::Make(options_, Destinations(), clock_, Random(9)));
  Must(ProcessWith(*other, PlannedJob(), {.planned = 1, .attempts = 1, .lease_token = 1}, store_));
  EXPECT_THAT(Keys(), ElementsAre(HasSubstr(".csv.gz")));
}

TEST_F(OpenDataTest, ALargeDayGoesThroughTheStoreInPieces) {
  AddLocation(1, "UTC");
  Sql("INSERT INTO measurements SELECT 11, timestamptz '2024-01-31T00:00:01Z' + n * interval '0.1 "
      "s',"
      " n FROM generate_series(0, 199999) n");
  EXPECT_EQ(Run().counts.written, 1);
  const std::string file = File(kKey);
  EXPECT_GT(file.size(), 8U << 20);
  EXPECT_EQ(std::ranges::count(file, '\n'), 200'001);
  EXPECT_EQ(Ask("SELECT metadata->'files'->0->>'bytes' FROM open_data_export_logs"),
            std::to_string(file.size()));
}

TEST_F(OpenDataTest, ErrorsOfOneLocationStopNoOther) {
  AddLocation(1, "Europe/Vienna");
  AddLocation(2, "Mars/Olympus");
  AddLocation(3, "Asia/Tokyo");
  AddLocation(4, "Asia/Tokyo");
  AddLocation(5, "Asia/Tokyo");
  for (int i = 1; i <= 5; ++i) AddReading(i * 10 + 1, "2024-01-31T12:00:00Z");
  Sql("UPDATE open_data_export_logs SET records = 2 WHERE sensor_nodes_id = 4");
  store_.refuse = [](std::string_view key) -> std::optional<Error> {
    if (key.find("locationid=5/") == std::string_view::npos) return std::nullopt;
    return Error{.code = ErrorCode::kPermissionDenied, .message = "not there"};
  };
  const Ran ran = Run();
  EXPECT_THAT(ran.items, ElementsAre("1/2024-01-31", "3/2024-01-31", "4/2024-01-31"));
  EXPECT_THAT(
      ran.errors,
      testing::UnorderedElementsAre(
          HasSubstr("location 2, 2024-01-31: invalid_argument: \"Mars/Olympus\" is no name of "
                    "a time zone"),
          "location 5, 2024-01-31: permission_denied: not there"));
  EXPECT_EQ(State(2, "2024-01-31"), "failed");
  EXPECT_THAT(Ask("SELECT metadata->>'error' FROM open_data_states WHERE sensor_nodes_id = 5"),
              "not there");
}

TEST_F(OpenDataTest, F06DaysBeforeTheYearOneFailAndHoldUpNoOthers) {
  AddLocation(1, "UTC");
  AddReading(11, "0044-03-15 12:00:00Z BC");
  AddReading(11, "2024-01-31T12:00:00Z");
  const Ran ran = Run();
  EXPECT_THAT(ran.items, ElementsAre("1/2024-01-31"));
  EXPECT_THAT(
      ran.errors,
      ElementsAre(HasSubstr("location 1, 0044-03-15 BC: invalid_argument: is before the year")));
}

TEST_F(OpenDataTest, UnreadableReadingsFailTheirDayAlone) {
  for (int i = 1; i <= 5; ++i) {
    AddLocation(i, "UTC");
    AddReading(i * 10 + 1, "2024-01-31T12:00:00Z");
  }
  // Beyond the year 9999, which no file can carry.
  Sql("UPDATE measurements SET datetime = '12024-01-31T12:00:00Z' WHERE sensors_id = 31");
  Sql("UPDATE open_data_export_logs SET day = '2024-02-01', records = 1 WHERE day > '9999-01-01'");
  Sql("CREATE OR REPLACE FUNCTION open_data_span(day date, zone text, ending boolean) "
      "RETURNS TABLE (first timestamptz, last timestamptz, is_exact boolean) LANGUAGE sql "
      "IMMUTABLE "
      "AS $$ SELECT '-infinity'::timestamptz, 'infinity'::timestamptz, true $$");
  const Ran ran = Run();
  EXPECT_EQ(ran.counts.written, 4);
  EXPECT_THAT(ran.errors, testing::Contains(HasSubstr("location 3, 2024-02-01: invalid_argument")));
}

TEST_F(OpenDataTest, AFailedDayIsTriedThreeTimesAndAgainWhenItChanges) {
  AddLocation(1, "UTC");
  AddReading(11, "2024-01-31T12:00:00Z");
  AddLocation(2, "UTC");
  const auto refuse = [](std::string_view key) -> std::optional<Error> {
    if (key.find("locationid=1/") == std::string_view::npos) return std::nullopt;
    return Error{.code = ErrorCode::kOutOfSpace, .message = "full"};
  };
  store_.refuse = refuse;
  for (int attempt = 1; attempt <= 5; ++attempt) {
    AddReading(
        21, fmt::format("2024-01-31T12:{:02}:00Z", attempt));  // Keeps the store from looking down.
    const Ran ran = Run();
    EXPECT_EQ(ran.counts.failed, attempt <= 3 ? 1 : 0) << attempt;
  }
  EXPECT_EQ(State(1, "2024-01-31"), "failed");
  store_.refuse = [](std::string_view) { return std::nullopt; };
  EXPECT_EQ(Run().counts.written, 0);
  AddReading(11, "2024-01-31T13:00:00Z");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
  EXPECT_EQ(Ask("SELECT has_error FROM open_data_export_logs WHERE sensor_nodes_id = 1"), "f");
}

TEST_F(OpenDataTest, AStoreThatIsDownFailsTheChunkAndGivesClaimsBack) {
  AddLocation(1, "UTC");
  AddReading(11, "2024-01-31T12:00:00Z");
  store_.refuse = [](std::string_view) {
    return Error{.code = ErrorCode::kUnavailable, .message = "down", .retryable = true};
  };
  const auto result = Process(PlannedJob(), {.planned = 1, .attempts = 1, .lease_token = 1});
  ASSERT_FALSE(result.has_value());
  EXPECT_TRUE(result.error().retryable);
  EXPECT_EQ(State(1, "2024-01-31"), "pending");
  EXPECT_EQ(Ask("SELECT attempts FROM open_data_export_logs"), "0");
}

TEST_F(OpenDataTest, ARunTakesNoMoreThanItsLimit) {
  AddLocation(1, "UTC");
  for (int day = 10; day < 20; ++day) AddReading(11, fmt::format("2024-01-{}T12:00:00Z", day));
  EXPECT_THAT(Run(R"({"limit": 3})").items,
              ElementsAre("1/2024-01-10", "1/2024-01-11", "1/2024-01-12"))
      << "the oldest first";
  EXPECT_EQ(Run().counts.written, 7);
}

TEST_F(OpenDataTest, NothingIsClaimedWhenTheTimeLimitIsNear) {
  AddLocation(1, "UTC");
  Sql("INSERT INTO measurements SELECT 11, timestamptz '2020-01-01T12:00Z' + n * interval '1 day', "
      "n "
      "FROM generate_series(1, 1200) n");
  store_.after_put = [this] { clock_.Advance(std::chrono::seconds(20)); };
  const Ran ran = Run(R"({"time_limit_ms": 60000})");
  EXPECT_EQ(ran.counts.written, 450);
  EXPECT_EQ(ran.counts.excluded, 750);
  EXPECT_THAT(ran.errors.back(), HasSubstr("the time limit of 60 s came near; they stay pending"));
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_export_logs WHERE queued_on IS NOT NULL"), "0");
}

TEST_F(OpenDataTest, ARepeatedChunkListsWhatItsFirstAttemptExported) {
  AddLocation(1, "UTC");
  for (int day = 10; day < 14; ++day) AddReading(11, fmt::format("2024-01-{}T12:00:00Z", day));
  const engine::Job job = PlannedJob();
  Ran first;
  Take(Must(Process(job, {.planned = 2, .attempts = 1, .lease_token = 1})), first);
  Ran second;
  // A chunk that was released, or redriven, begins to count its attempts again.
  Take(Must(Process(job, {.planned = 2, .attempts = 1, .lease_token = 2})), second);
  EXPECT_THAT(second.items, ElementsAre("1/2024-01-10", "1/2024-01-11"));
  EXPECT_EQ(second.items, first.items);
  EXPECT_EQ(second.counts, first.counts);
}

TEST_F(OpenDataTest, ARepeatedChunkListsWhatItsFirstAttemptCouldNotExport) {
  AddLocation(1, "Europe/Nowhere");
  AddReading(11, "2024-01-31T12:00:00Z");
  const engine::Job job = PlannedJob();
  Ran first;
  Take(Must(Process(job, {.planned = 1, .attempts = 1, .lease_token = 1})), first);
  Ran second;
  Take(Must(Process(job, {.planned = 1, .attempts = 1, .lease_token = 2})), second);
  EXPECT_THAT(first.errors, ElementsAre(HasSubstr("invalid_argument: \"Europe/Nowhere\"")));
  EXPECT_EQ(second.errors, first.errors);
}

TEST_F(OpenDataTest, RecountingFindsWhatANewBoundOrZoneMoves) {
  AddLocation(1, "UTC");
  AddLocation(2, "Asia/Tokyo");
  Sql("INSERT INTO measurements SELECT s, at, 1 FROM unnest(ARRAY[11, 21]) s, "
      "generate_series(timestamptz '2024-01-10T00:00Z', '2024-01-20T00:00Z', interval '1 hour') "
      "at");
  const int64_t days = Run().counts.written;
  EXPECT_EQ(CountAgain(), "0");
  EXPECT_TRUE(Must(SetDayBound(*database_, false)));
  EXPECT_EQ(CountAgain(), std::to_string(days + 1)) << "and the 20th has come";
  options_.time_ending = false;
  Restart();
  Run();
  EXPECT_EQ(CountAgain(), "0");
  Sql("UPDATE timezones SET tzid = 'Asia/Seoul' WHERE timezones_id = 2");  // The same offset.
  EXPECT_EQ(CountAgain(), "11");
  EXPECT_EQ(Run().counts.written, 11);
}

TEST_F(OpenDataTest, RecountingFindsWhatWasDeletedBeforeItWasCounted) {
  AddLocation(1, "UTC");
  AddReading(11, "2024-01-31T12:00:00Z");
  Sql("DELETE FROM open_data_export_logs; DELETE FROM measurements");
  EXPECT_EQ(Ask("SELECT records FROM open_data_export_logs"), "0") << "never less";
  EXPECT_EQ(CountAgain(), "0");
  EXPECT_THAT(Run().errors, ElementsAre(HasSubstr("has no readings")));
}

TEST_F(OpenDataTest, AViewThatIsWrongIsNoDaysFault) {
  AddLocation(1, "UTC");
  AddReading(11, "2024-01-30T12:00:00Z");
  AddReading(11, "2024-01-31T12:00:00Z");
  Sql("DROP VIEW open_data_measurements;"
      "CREATE VIEW open_data_measurements AS SELECT sensors_id, datetime, value FROM measurements");
  const auto result = Process(PlannedJob(), {.planned = 2, .attempts = 1, .lease_token = 1});
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("lat"));
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_export_logs WHERE has_error"), "0");
}

TEST_F(OpenDataTest, ASensorOfTwoRowsFailsItsLocationAlone) {
  AddLocation(1, "UTC");
  AddLocation(2, "UTC");
  AddReading(11, "2024-01-31T12:00:00Z");
  AddReading(21, "2024-01-31T12:00:00Z");
  Sql("CREATE OR REPLACE VIEW open_data_sensors AS"
      " SELECT sensors_id, sensor_nodes_id, measurand AS parameter, units"
      " FROM sensors JOIN sensor_systems USING (sensor_systems_id)"
      " JOIN (SELECT * FROM measurands UNION ALL SELECT 1, 'pm25', 'ppm') AS m"
      "   ON m.measurands_id = sensors.measurands_id AND (sensors_id < 20 OR units <> 'ppm' OR "
      "      measurand <> 'pm25')");
  const Ran ran = Run();
  EXPECT_THAT(ran.items, ElementsAre("2/2024-01-31"));
  EXPECT_THAT(ran.errors, ElementsAre(HasSubstr("has sensor 11 more than once")));
}

TEST_F(OpenDataTest, SessionsMayWriteDatesAsTheyLike) {
  Sql(fmt::format("ALTER DATABASE {} SET datestyle = 'German'",
                  Ask("SELECT quote_ident(current_database())")));
  AddLocation(1, "UTC");
  AddReading(11, "2024-01-31T12:00:00Z");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
  EXPECT_THAT(Keys(), ElementsAre(kKey));
  EXPECT_THAT(Run().items, IsEmpty());
}

TEST_F(OpenDataTest, AbbreviationsAreNoZones) {
  for (const char* zone : {"CET", "EET", "MET", "WET", "EST", "cet", "Europe/Nowhere", ""}) {
    EXPECT_EQ(Ask(fmt::format("SELECT open_data_zone('{}') IS NULL", zone)), "t") << zone;
  }
  for (const char* zone : {"UTC", "Europe/Vienna", "Japan", "EST5EDT"}) {
    EXPECT_EQ(Ask(fmt::format("SELECT open_data_zone('{}')", zone)), zone);
  }
}

TEST_F(OpenDataTest, ParametersThatCannotBeMeantAreRefused) {
  for (const char* parameters : {"[]", R"({"limit": -1})", R"({"limit": "many"})",
                                 R"({"limits": 1})", R"({"destination": "elsewhere"})"}) {
    const auto request = Recipe().Canonicalise({.export_name = "o", .parameters = parameters});
    EXPECT_FALSE(request.has_value()) << parameters;
  }
  options_.formats = {"csv.bz2"};
  EXPECT_FALSE(OpenData::Make(options_, {}, clock_, Random(1)).has_value());
}

}  // namespace
}  // namespace spillway::recipe::open_data
