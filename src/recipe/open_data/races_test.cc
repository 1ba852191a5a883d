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

/// Readings that come while their day is exported (D3): none may be lost, whenever they come.
class RacesTest : public OpenDataTest {
 protected:
  RacesTest() {
    AddLocation(1, "UTC");
    AddReading(11, "2024-01-31T10:00:00Z");
  }

  void AddLate() { AddReading(11, "2024-01-31T11:00:00Z"); }
  bool HasLate() { return File(kKey).find("T11:00:00+00:00") != std::string::npos; }

  /// Of another exporter, which takes over what this one has claimed.
  void TakeOver() {
    Sql("UPDATE open_data_export_logs SET queued_on = now() - interval '2 hours'");
    ASSERT_EQ(Must(other_.Claim(10, "infinity", {})).size(), 1U);
  }
  void FinishTakenOver() {
    const std::vector<ExportedDay> day = {
        {.id = {1, "2024-01-31"}, .seen = Ask("SELECT modified_on FROM open_data_export_logs")}};
    EXPECT_EQ(Must(other_.RecordExported(day, {})).size(), 1U);
    Must(other_.Release());
  }

 private:
  const std::unique_ptr<postgres::Connection> others_ = Open();
  ChangeLog other_{*others_, {}, {"other", "1"}};
};

TEST_F(RacesTest, BeforeItIsRead) {
  AddLate();
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
  EXPECT_TRUE(HasLate());
  EXPECT_EQ(State(1, "2024-01-31"), "exported");
}

TEST_F(RacesTest, AfterTheSnapshotAndBeforeTheFile) {
  store_.before_put = [this] { AddLate(), store_.before_put = [] {}; };
  Run();
  EXPECT_FALSE(HasLate());
  EXPECT_EQ(State(1, "2024-01-31"), "pending");
  EXPECT_EQ(Run().items.size(), 1U);
  EXPECT_TRUE(HasLate());
  EXPECT_THAT(Run().items, IsEmpty());
}

TEST_F(RacesTest, AfterTheFileAndBeforeTheLog) {
  store_.after_put = [this] { AddLate(), store_.after_put = [] {}; };
  Run();
  EXPECT_EQ(State(1, "2024-01-31"), "pending");
  Run();
  EXPECT_TRUE(HasLate());
}

TEST_F(RacesTest, BegunBeforeTheSnapshotAndCommittedWhileTheLogIsWritten) {
  const auto ingest = Open();
  Must(ingest->Execute("BEGIN"));
  Must(ingest->Execute("SELECT now()"));
  std::jthread commits;
  store_.before_put = [&] {
    store_.before_put = [] {};
    Must(ingest->Execute("INSERT INTO measurements VALUES (11, '2024-01-31T11:00:00Z', 1)"));
    commits = std::jthread([&ingest] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      Must(ingest->Execute("COMMIT"));
    });
  };
  Run();
  commits.join();
  EXPECT_EQ(State(1, "2024-01-31"), "pending");
  Run();
  EXPECT_TRUE(HasLate());
}

TEST_F(RacesTest, ALockedDayIsPassedOverAndExportedOnceItIsFree) {
  const auto ingest = Open();
  Must(ingest->Execute("BEGIN"));
  Must(ingest->Execute("INSERT INTO measurements VALUES (11, '2024-01-31T11:00:00Z', 1)"));
  const Ran ran = Run();
  EXPECT_THAT(ran.items, IsEmpty());
  EXPECT_THAT(ran.errors, ElementsAre("1 location-days: excluded: were no longer pending"));
  Must(ingest->Execute("COMMIT"));
  Run();
  EXPECT_TRUE(HasLate());
}

TEST_F(RacesTest, ARolledBackChangeChangesNothing) {
  Run();
  const auto ingest = Open();
  Must(ingest->Execute("BEGIN"));
  Must(ingest->Execute("INSERT INTO measurements VALUES (11, '2024-01-31T11:00:00Z', 1)"));
  Must(ingest->Execute("ROLLBACK"));
  EXPECT_THAT(Run().items, IsEmpty());
}

TEST_F(RacesTest, WhatWasTakenOverBeforeItsFileIsLeftToTheOther) {
  // The second day is held only once the first is in its place.
  Sql("INSERT INTO measurements SELECT 11, timestamptz '2023-01-01T12:00Z' + n * interval '1 day', "
      "n "
      "FROM generate_series(1, 250) n");
  store_.before_put = [this] {
    store_.before_put = [] {};
    Sql("UPDATE open_data_export_logs SET claim = 'other' WHERE day = '2024-01-31'");
  };
  Ran ran;
  Take(Must(Process(PlannedJob(), {.planned = 251, .attempts = 1, .lease_token = 1})), ran);
  EXPECT_EQ(ran.counts.written, 250);
  EXPECT_THAT(ran.errors, ElementsAre("location 1, 2024-01-31: excluded: was taken over by another "
                                      "export meanwhile"));
  EXPECT_EQ(File(kKey), "(no file)");
}

TEST_F(RacesTest, AJobTakesADayOnce) {
  AddReading(11, "2024-01-30T10:00:00Z");
  const engine::Job job = PlannedJob();
  Ran ran;
  Take(Must(Process(job, {.index = 0, .planned = 1, .attempts = 1, .lease_token = 1})), ran);
  AddReading(11, "2024-01-30T11:00:00Z");  // To the day that was exported, which is the oldest.
  Take(Must(Process(job, {.index = 1, .planned = 2, .attempts = 1, .lease_token = 1})), ran);
  EXPECT_THAT(ran.items, ElementsAre("1/2024-01-30", "1/2024-01-31"));
  EXPECT_THAT(ran.errors, ElementsAre(HasSubstr("were no longer pending")));
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-30"));
}

TEST_F(RacesTest, AnIngestUnderWayHoldsUpNoStop) {
  const auto ingest = Open();
  store_.before_put = [&] {
    Must(ingest->ExecuteScript("BEGIN; UPDATE measurements SET value = value + 1"));
  };
  std::stop_source stop;
  store_.after_put = [&stop] { stop.request_stop(); };
  const auto result =
      ProcessWith(Recipe(), PlannedJob(), {.planned = 1, .attempts = 1, .lease_token = 1}, store_,
                  stop.get_token());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
  Must(ingest->ExecuteScript("COMMIT"));
  store_.before_put = [] {};
  Sql("UPDATE open_data_export_logs SET queued_on = NULL");  // It was locked when it was given
                                                             // back.
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
}

TEST_F(RacesTest, AFileThatMayHaveReplacedANewerOneIsWrittenAgain) {
  store_.after_put = [this] {
    store_.after_put = [] {};
    TakeOver();
    FinishTakenOver();  // Newer, and recorded; but our file came last.
  };
  const Ran ran = Run();
  EXPECT_THAT(ran.items, IsEmpty());
  EXPECT_THAT(ran.errors, ElementsAre(HasSubstr("was taken over by another export meanwhile; it is "
                                                "exported again")));
  EXPECT_EQ(State(1, "2024-01-31"), "pending");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-31"));
}

/// Ingest and two exporters at work at the same time; in the end every file is what the database
/// has.
TEST_F(RacesTest, ManyAtOnceLoseNothing) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  for (int i = 2; i <= 6; ++i) AddLocation(i, "UTC");
  std::atomic<bool> done = false;
  std::atomic<int> ingested = 0;
  std::vector<std::jthread> ingests;
  for (uint64_t thread = 0; thread < 2; ++thread) {
    ingests.emplace_back([this, seed, thread, &done, &ingested] {
      Random random(seed + thread);
      const auto connection = Open();
      while (!done) {
        const auto inserted = connection->Execute(
            "INSERT INTO measurements SELECT $1::int, timestamptz '2024-01-31T00:00Z' + n * "
            "interval "
            "'1 second', n + 0.25 FROM generate_series($2::int, $2 + 20) n ON CONFLICT "
            "(sensors_id, "
            "datetime) "
            "DO UPDATE SET value = measurements.value + 1",
            {(random.Below(6) + 1) * 10 + 1 + random.Below(2), random.Below(170'000)});
        ingested += inserted.has_value() ? 1 : 0;
      }
    });
  }
  const auto export_meanwhile = [&] {
    for (int run = 0; run < 12 || ingested < 150; ++run) Run();
  };
  Recipe();
  std::jthread other(export_meanwhile);
  export_meanwhile();
  other.join();
  done = true;
  ingests.clear();
  for (int run = 0;
       run < 10 && Ask("SELECT count(*) FROM open_data_states WHERE state <> 'exported'") != "0";
       ++run) {
    Run();
  }
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_states WHERE state <> 'exported'"), "0");
  const postgres::Rows days = Must(
      database_->Execute("SELECT key, string_agg(sensors_id || ',' || value || "
                         "CASE WHEN value = floor(value) THEN '.0' ELSE '' END, ' ' ORDER BY "
                         "sensors_id, datetime) FROM measurements JOIN open_data_export_logs log "
                         "ON log.sensor_nodes_id = sensors_id / 10 AND log.day = "
                         "open_data_day(datetime, 'UTC', true) GROUP BY key"));
  ASSERT_GT(days.size(), 6);
  for (int row = 0; row < days.size(); ++row) {
    EXPECT_EQ(SensorsAndValues(File(std::string(days.Text(row, 0)))), days.Text(row, 1))
        << days.Text(row, 0);
  }
  EXPECT_EQ(CountAgain(), "0");
}

}  // namespace
}  // namespace spillway::recipe::open_data
