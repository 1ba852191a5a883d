#include "recipe/open_data/open_data_fixture.h"

namespace spillway::recipe::open_data {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

/// What becomes of the files of days that have no readings any more.
class RemovalsTest : public OpenDataTest {
 protected:
  RemovalsTest() {
    AddLocation(1, "UTC");
    for (int day = 10; day < 20; ++day) AddReading(11, fmt::format("2024-01-{}T12:00:00Z", day));
  }
};

/// The log says that they have readings until their read counts them again, a chunk at a time.
TEST_F(RemovalsTest, O12NoRunRemovesMoreThanDeleteMaxWhateverTheLogCounted) {
  options_.empty_days.delete_max = 3;
  EXPECT_THAT(Run().items, SizeIs(10));
  Sql("SET session_replication_role = replica;"
      "DELETE FROM measurements WHERE datetime < '2024-01-18';"
      "SET session_replication_role = origin;"
      "SELECT open_data_mark(NULL, NULL, NULL)");
  const engine::Job job = PlannedJob();
  Ran ran;
  for (int64_t chunk = 0; chunk < 5; ++chunk) {
    Take(Must(Process(job, {.index = chunk, .planned = 2, .attempts = 1, .lease_token = 1})), ran);
  }
  EXPECT_EQ(ran.counts.written, 2);
  EXPECT_EQ(ran.counts.excluded, 0);
  EXPECT_EQ(ran.counts.failed, 8);
  EXPECT_THAT(Keys(), SizeIs(10));
  EXPECT_EQ(Run().counts.failed, 8) << "by now the log knows of them";
  EXPECT_THAT(Keys(), SizeIs(10));
}

/// Of days that the log miscounts: what one run does not get to is judged all the same.
TEST_F(RemovalsTest, O12RunsThatALimitCutsShortRemoveNoMoreTogether) {
  options_.empty_days.delete_max = 3;
  options_.claims.retry_pause = {};
  EXPECT_THAT(Run().items, SizeIs(10));
  Sql("SET session_replication_role = replica;"
      "DELETE FROM measurements WHERE datetime < '2024-01-18';"
      "SET session_replication_role = origin;"
      "SELECT open_data_mark(NULL, NULL, NULL)");
  for (int run = 0; run < 20; ++run) EXPECT_EQ(Run(R"({"limit": 2})").counts.excluded, 0);
  EXPECT_THAT(Keys(), SizeIs(10)) << "nor do those go that the log knows of since";
}

TEST_F(RemovalsTest, O12WhatAnAttemptWasLetRemoveIsNotCountedAgainForTheNext) {
  const auto connection = Open();
  const auto empty = [](const char* day, int64_t files) {
    return ExportedDay{.id = {1, day}, .removed = files};
  };
  const std::vector<ExportedDay> days = {empty("2024-01-10", 2), empty("2024-01-11", 1)};
  const auto let = [&](const char* chunk, const std::vector<ExportedDay>& removed) {
    ChangeLog log(*connection, {}, {chunk, "1"});
    Must(log.Claim(100, "infinity", {}));
    const Removal answer = Must(log.LetRemove(removed, 4, {}));
    Must(log.Release());
    return answer;
  };
  EXPECT_EQ(let("job/0", days), Removal::kLet);
  EXPECT_EQ(let("job/0", days), Removal::kLet) << "its files could not be put";
  EXPECT_EQ(let("job/0", {empty("2024-01-10", 1)}), Removal::kLet) << "one of them is gone";
  EXPECT_EQ(let("job/1", {empty("2024-01-12", 2)}), Removal::kTooMany);
  EXPECT_EQ(let("job/1", {empty("2024-01-12", 1)}), Removal::kLet);
  EXPECT_EQ(let("another/0", {empty("2024-01-12", 4)}), Removal::kLet);
}

TEST_F(RemovalsTest, O12FewMiscountedDaysAreRemoved) {
  options_.empty_days.delete_max = 3;
  EXPECT_THAT(Run().items, SizeIs(10));
  Sql("SET session_replication_role = replica;"
      "DELETE FROM measurements WHERE datetime < '2024-01-13';"
      "SET session_replication_role = origin;"
      "SELECT open_data_mark(NULL, NULL, NULL)");
  const Ran ran = Run();
  EXPECT_EQ(ran.counts.written, 7);
  EXPECT_EQ(ran.counts.excluded, 3);
  EXPECT_THAT(Keys(), SizeIs(7));
}

/// Slice by slice a recount marks what would go, which is too much in all.
TEST_F(RemovalsTest, O12ARunBesideARecountRemovesNothing) {
  options_.empty_days.delete_max = 9;
  AddLocation(2, "UTC");
  AddReading(21, "2024-01-10T12:00:00Z");
  EXPECT_THAT(Run().items, SizeIs(11));
  Sql("SET session_replication_role = replica; TRUNCATE measurements;"
      "SET session_replication_role = origin");
  const std::string begun = Ask("SELECT open_data_begin_recount()");
  EXPECT_EQ(Ask("SELECT marked FROM open_data_recount_locations('{2}', NULL)"), "1");
  EXPECT_EQ(Run().counts.planned, 0) << "it waits";
  Sql("UPDATE open_data_export_logs SET records = 1 WHERE sensor_nodes_id = 2");
  EXPECT_THAT(Run().errors,
              ElementsAre(HasSubstr("before the recount that is under way has come to "
                                    "its end; if it was broken off")));
  EXPECT_THAT(Keys(), SizeIs(11));
  EXPECT_EQ(Ask("SELECT marked FROM open_data_recount_locations('{1}', NULL)"), "10");
  const std::string again = Ask("SELECT open_data_begin_recount()");
  Sql("SELECT open_data_end_recount('" + begun + "')");
  EXPECT_EQ(Run().counts.planned, 0) << "another one has begun since";
  Sql("SELECT open_data_end_recount('" + again + "')");
  EXPECT_EQ(Run().counts.failed, 11);
  EXPECT_THAT(Keys(), SizeIs(11));
}

/// That is no loss: each has a new one of the same day.
TEST_F(RemovalsTest, O12FilesOfAFormatThatIsNoLongerWrittenAreReplacedWhateverDeleteMax) {
  Run();
  options_.empty_days.delete_max = 0;
  options_.formats = {"parquet"};
  Restart();
  EXPECT_EQ(Ask("SELECT marked FROM open_data_recount_locations(NULL, 'parquet')"), "10");
  EXPECT_THAT(Run().items, SizeIs(10));
  EXPECT_THAT(Keys(), AllOf(SizeIs(10), Each(HasSubstr("records/parquet/"))));
}

TEST_F(RemovalsTest, O12MoreFilesThanDeleteMaxAreNotRemoved) {
  options_.empty_days.delete_max = 3;
  EXPECT_THAT(Run().items, SizeIs(10));
  Sql("DELETE FROM measurements WHERE datetime < '2024-01-14'");
  AddReading(11, "2024-01-25T12:00:00Z");
  const Ran ran = Run();
  EXPECT_THAT(ran.items, ElementsAre("1/2024-01-25")) << "the others go on";
  EXPECT_EQ(ran.counts.failed, 4);
  EXPECT_THAT(ran.errors,
              Each(AllOf(HasSubstr("location 1, 2024-01-1"),
                         HasSubstr("more than open_data.delete_max (3) would be removed"))));
  EXPECT_THAT(Keys(), SizeIs(11));
  Sql("INSERT INTO measurements VALUES (11, '2024-01-10T12:00:00Z', 1)");
  const Ran fewer = Run();
  EXPECT_EQ(fewer.counts.written, 1);
  EXPECT_EQ(fewer.counts.excluded, 3);
  EXPECT_EQ(fewer.counts.failed, 0);
  EXPECT_THAT(Keys(), SizeIs(8));
  EXPECT_EQ(Ask("SELECT sum((metadata->>'removed')::int) FROM open_data_export_logs"), "3");
}

TEST_F(RemovalsTest, O12FilesOfEmptyDaysAreKeptWhereThatIsWanted) {
  options_.empty_days = {.keep = true, .delete_max = 0};
  Run();
  Sql("TRUNCATE measurements");
  const Ran ran = Run();
  EXPECT_EQ(ran.counts.excluded, 10);
  EXPECT_THAT(ran.errors, Each(HasSubstr("its files stay, as on_empty: keep says")));
  EXPECT_THAT(Keys(), SizeIs(10));
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_states WHERE state = 'exported' AND key IS NOT "
                "NULL AND metadata->>'kept' = 'true'"),
            "10");
  AddReading(11, "2024-01-12T13:00:00Z");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-12"));
  EXPECT_EQ(Ask("SELECT metadata ? 'kept' FROM open_data_export_logs WHERE day = '2024-01-12'"),
            "f");
}

TEST_F(RemovalsTest, O12ALocationThatLeftTheViewIsAnEmptyOne) {
  options_.empty_days.delete_max = 9;
  Run();
  Sql("ALTER VIEW open_data_locations RENAME TO all_locations;"
      "CREATE VIEW open_data_locations AS SELECT * FROM all_locations WHERE sensor_nodes_id <> 1");
  EXPECT_EQ(CountAgain(), "10");
  EXPECT_EQ(Run().counts.failed, 10);
  EXPECT_THAT(Keys(), SizeIs(10));
}

TEST_F(RemovalsTest, O12FilesThatAreGoneAlreadyAreNoReasonToFail) {
  options_.empty_days.delete_max = 0;
  Run();
  for (const std::string& key : Keys()) Must(memory_.Remove(key));
  Sql("TRUNCATE measurements");
  const Ran ran = Run();
  EXPECT_EQ(ran.counts.excluded, 10);
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_states WHERE state = 'exported' AND key IS NULL"),
            "10");
}

}  // namespace
}  // namespace spillway::recipe::open_data
