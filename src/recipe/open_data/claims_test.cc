#include <algorithm>
#include <thread>

#include "recipe/open_data/open_data_fixture.h"

namespace spillway::recipe::open_data {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// Of exporters that share a log: who has which days, and what becomes of them.
class ClaimsTest : public OpenDataTest {
 protected:
  ClaimsTest() {
    AddLocation(1, "UTC");
    for (int day = 10; day < 20; ++day) AddReading(11, fmt::format("2024-01-{}T12:00:00Z", day));
  }

  /// As another process has it, with a state of its own.
  std::unique_ptr<OpenData> Another(uint64_t chance) {
    return Must(OpenData::Make(options_, Destinations(), clock_, Random(chance)));
  }

  static std::vector<LocationDay> Claim(ChangeLog& log, int64_t limit = 100) {
    return Must(log.Claim(limit, "infinity", {}));
  }
  /// Of every exporter; their processes live on.
  void EndSessions() {
    Sql("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name LIKE "
        "'spillway open data%' AND datname = current_database()");
  }
  /// Once a connection is closed, until the server has ended its session, too.
  void AwaitItsEnd() {
    for (int look = 0; look < 10'000; ++look) {
      if (Ask("SELECT count(*) FROM pg_locks WHERE classid = 1399876727") == "0") return;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL() << "the session does not end";
  }
  /// The recipe's clock goes on meanwhile.
  template <class Act>
  auto InTime(const Act& act) {
    const std::jthread time([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        clock_.Advance(std::chrono::milliseconds(50));
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
    return act();
  }
  Ran RunInTime() {
    return InTime([this] { return Run(); });
  }
  /// As if it had been so long since somebody saw which sessions are gone.
  void LetAnHourPass() {
    Sql("UPDATE open_data_lost_claims SET seen_on = seen_on - interval '1 hour'");
  }
  std::string Queued() {
    return Ask("SELECT count(*) FROM open_data_export_logs WHERE queued_on IS NOT NULL");
  }
};

TEST_F(ClaimsTest, O1JobsOfOneIdTakeNothingFromEachOther) {
  const engine::Job job = PlannedJob();
  const engine::Chunk chunk{.planned = 10, .attempts = 1, .lease_token = 1};
  const auto other = Another(77);
  std::vector<std::string> of_other;
  store_.before_put = [&] {
    store_.before_put = [] {};
    AddReading(11, "2024-01-25T12:00:00Z");
    const engine::ChunkResult result = Must(ProcessWith(*other, job, chunk, store_));
    for (const engine::PublishedFile& file : result.published) of_other.push_back(file.item);
  };
  Ran ran;
  Take(Must(Process(job, chunk)), ran);
  EXPECT_THAT(ran.items, SizeIs(10));
  EXPECT_THAT(of_other, ElementsAre("1/2024-01-25")) << "whatever the others had not";
  EXPECT_EQ(Ask("SELECT count(DISTINCT claim) FROM open_data_export_logs"), "2");
}

TEST_F(ClaimsTest, O1TheNextAttemptTakesWhatADeadOneHadAndCountsWhatItExported) {
  const engine::Job job = PlannedJob();
  {
    const auto connection = Open();
    ChangeLog dead(*connection, {}, {job.id + "/0", "dead"});
    ASSERT_THAT(Claim(dead, 4), SizeIs(4));
    const std::vector<ExportedDay> day = {
        {.id = {1, "2024-01-10"},
         .seen = Ask("SELECT modified_on FROM open_data_export_logs WHERE day = '2024-01-10'"),
         .rows = 1,
         .files = {{.key = "k", .rows = 1, .bytes = 1, .sha256 = "s"}}}};
    ASSERT_THAT(Must(dead.RecordExported(day, {})), SizeIs(1));
  }
  AwaitItsEnd();
  Ran ran;
  Take(Must(Process(job, {.planned = 10, .attempts = 2, .lease_token = 2})), ran);
  EXPECT_EQ(ran.counts.written, 10);
  EXPECT_EQ(ran.items.front(), "1/2024-01-10");
  EXPECT_THAT(Run().items, IsEmpty());
  LetAnHourPass();
  EXPECT_THAT(Run().items, SizeIs(3)) << "those that the dead one has not recorded";
  EXPECT_THAT(Run().items, IsEmpty());
}

TEST_F(ClaimsTest, O1TheNextAttemptLeavesALivingOneItsDays) {
  const engine::Job job = PlannedJob();
  const auto connection = Open();
  ChangeLog alive(*connection, {}, {job.id + "/0", "alive"});
  ASSERT_THAT(Claim(alive, 4), SizeIs(4));
  Ran ran;
  Take(Must(Process(job, {.planned = 10, .attempts = 2, .lease_token = 2})), ran);
  EXPECT_EQ(ran.counts.written, 6);
  EXPECT_EQ(ran.counts.excluded, 4);
  EXPECT_EQ(Queued(), "4");
}

/// A pooler's sessions are everybody's, so a lock of one would say nothing, and stay.
TEST_F(ClaimsTest, O1ThroughAPoolerNoLifeIsShown) {
  const postgres::TestPooler pooler(Server());
  options_.write_address = pooler.Url(Ask("SELECT current_database()"));
  EXPECT_THAT(Run().items, SizeIs(10));
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_export_logs WHERE claim LIKE '%#%' AND claim NOT "
                "LIKE '%!' AND putters = '{}'"),
            "10");
  EXPECT_EQ(Ask("SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE "
                "locktype = 'advisory' AND datname = current_database()"),
            "0");
}

TEST_F(ClaimsTest, O14ClaimsOfADeadExporterAreFreeAfterAMinute) {
  {
    const auto connection = Open();
    ChangeLog dead(*connection, {}, {"elsewhere/0", "dead"});
    ASSERT_THAT(Claim(dead), SizeIs(10));
    Sql("UPDATE open_data_export_logs SET queued_on = queued_on - interval '2 minutes'");
    EXPECT_THAT(Run().items, IsEmpty()) << "it lives";
  }
  AwaitItsEnd();
  EXPECT_THAT(Run().items, SizeIs(10));
}

TEST_F(ClaimsTest, O14AnExporterOfSomebodysOwnIsNotTakenForDead) {
  Sql("SELECT get_pending(10, 'own'); SELECT get_pending(10, 'own#1')");
  Sql("UPDATE open_data_export_logs SET queued_on = queued_on - interval '2 minutes'");
  EXPECT_THAT(Run().items, IsEmpty());
}

/// ADR 11 had this as what is left: it replaces a newer file and dies before it can say so.
TEST_F(ClaimsTest, O1ADayIsNotExportedWhileSomebodyMayStillPutAnOlderFile) {
  auto sleeping = Open();
  ChangeLog sleeper(*sleeping, {}, {"sleeping/0", "1"});
  const std::vector<LocationDay> days = Claim(sleeper);
  ASSERT_THAT(Must(sleeper.Hold(days, {})), SizeIs(10));
  Sql("UPDATE open_data_export_logs SET queued_on = queued_on - interval '2 hours'");
  AddReading(11, "2024-01-10T13:00:00Z");
  EXPECT_THAT(Run().items, SizeIs(10));
  EXPECT_EQ(State(1, "2024-01-10"), "pending");
  sleeping.reset();  // After its files replaced the newer ones.
  AwaitItsEnd();
  EXPECT_THAT(Run().items, IsEmpty()) << "its process may live";
  EXPECT_EQ(State(1, "2024-01-10"), "pending");
  LetAnHourPass();
  EXPECT_THAT(Run().items, SizeIs(10));
  EXPECT_EQ(State(1, "2024-01-10"), "exported");
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_export_logs WHERE putters <> '{}'"), "0");
  EXPECT_THAT(Run().items, IsEmpty());
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_lost_claims"), "0");
}

TEST_F(ClaimsTest, O1DaysThatALostExporterMayOverwriteHoldUpNoOthers) {
  {
    const auto connection = Open();
    ChangeLog dead(*connection, {}, {"dead/0", "1"});
    ASSERT_THAT(Claim(dead, 4), SizeIs(4));
  }
  AwaitItsEnd();
  Sql("UPDATE open_data_export_logs SET queued_on = queued_on - interval '2 minutes'");
  const std::string four = R"({"limit": 4})";
  EXPECT_THAT(Run(four).items, AllOf(SizeIs(4), testing::Contains("1/2024-01-10")));
  EXPECT_THAT(Run(four).items, AllOf(SizeIs(4), testing::Contains("1/2024-01-14")));
  EXPECT_THAT(Run(four).items, SizeIs(2));
  EXPECT_THAT(Run(four).items, IsEmpty());
  AddReading(11, "2024-01-10T13:00:00Z");
  EXPECT_THAT(Run(four).items, ElementsAre("1/2024-01-10")) << "what changes waits for nobody";
  EXPECT_EQ(State(1, "2024-01-10"), "pending");
  LetAnHourPass();
  EXPECT_THAT(Run().items, SizeIs(4)) << "once, when nothing can overwrite them any more";
  EXPECT_EQ(State(1, "2024-01-10"), "exported");
  EXPECT_THAT(Run().items, IsEmpty());
}

/// Its read took long, its session ends, somebody else exports the day, and then its file lands.
TEST_F(ClaimsTest, O1WhoLostHisSessionSaysWhatHeMayHavePut) {
  const auto other = Another(77);
  const auto run_other = [&] {
    engine::Job job = NewJob();
    job.id += " of another";
    CollectedPlan plan;
    job.plan = Must(other->MakePlan(job, plan, {})).source;
    const engine::Chunk chunk{.planned = 10, .attempts = 1, .lease_token = 1};
    EXPECT_EQ(Must(ProcessWith(*other, job, chunk, store_)).counts.written, 10);
  };
  store_.before_put = [&] {
    store_.before_put = [] {};
    Sql("UPDATE open_data_export_logs SET queued_on = queued_on - interval '64 seconds'");
    AddReading(11, "2024-01-10T13:00:00Z");
    EndSessions();
    run_other();
    EXPECT_EQ(State(1, "2024-01-10"), "pending") << "the file may still be replaced";
    LetAnHourPass();
    run_other();
    EXPECT_EQ(State(1, "2024-01-10"), "exported");
  };
  EXPECT_THAT(RunInTime().items, IsEmpty());
  EXPECT_EQ(State(1, "2024-01-10"), "pending") << "it was replaced";
  EXPECT_THAT(RunInTime().items, SizeIs(10));
  EXPECT_EQ(State(1, "2024-01-10"), "exported");
  EXPECT_THAT(File(Keys().front()), HasSubstr("T13:00:00"));
}

/// Its readings change just now. The other days, and other exporters, go on.
TEST_F(ClaimsTest, O1ADayThatIsLockedWhenItIsToBeMarkedIsMarkedLater) {
  const auto ingest = Open();
  store_.before_put = [&] {
    store_.before_put = [] {};
    EndSessions();
    Must(
        ingest->ExecuteScript("BEGIN; UPDATE measurements SET value = 2 WHERE datetime = "
                              "'2024-01-10T12:00:00Z'"));
  };
  EXPECT_THAT(RunInTime().items, SizeIs(9));
  EXPECT_THAT(Run().items, IsEmpty());
  Must(ingest->Execute("COMMIT"));
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_export_logs WHERE putters <> '{}'"), "1");
  Sql("UPDATE open_data_export_logs SET queued_on = queued_on - interval '2 minutes'");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-10"));
  EXPECT_EQ(State(1, "2024-01-10"), "exported") << "nobody may still put an older file";
}

TEST_F(ClaimsTest, O1WhoSeesThatHisClaimIsLostPutsNothingMore) {
  const auto sleeping = Open();
  ChangeLog sleeper(*sleeping, {}, {"sleeping/0", "1"});
  const std::vector<LocationDay> days = Claim(sleeper);
  Sql("UPDATE open_data_export_logs SET queued_on = queued_on - interval '2 hours'");
  store_.before_put = [&] {
    store_.before_put = [] {};
    EXPECT_THAT(Must(sleeper.Hold(days, {})), IsEmpty());
  };
  EXPECT_THAT(Run().items, SizeIs(10));
  EXPECT_EQ(State(1, "2024-01-10"), "exported");
}

TEST_F(ClaimsTest, O4ADayThatSomebodyElseCountedIsCountedAgain) {
  Sql("UPDATE open_data_export_logs SET records = CASE day WHEN '2024-01-12' THEN 0 ELSE 74 END "
      "WHERE day < '2024-01-15'");
  const Ran ran = Run();
  EXPECT_THAT(ran.items, SizeIs(10));
  EXPECT_THAT(ran.errors, IsEmpty());
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_states WHERE records = 1 AND state = 'exported'"),
            "10");
  EXPECT_EQ(CountAgain(), "0");
}

TEST_F(ClaimsTest, O4ADayWhoseCountStaysWrongFailsAlone) {
  Sql("CREATE OR REPLACE FUNCTION open_data_recount_days(nodes bigint[], days date[]) "
      "RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';"
      "UPDATE open_data_export_logs SET records = 2 WHERE day = '2024-01-15'");
  const Ran ran = Run();
  EXPECT_THAT(ran.items, SizeIs(9));
  EXPECT_THAT(ran.errors,
              ElementsAre(AllOf(HasSubstr("location 1, 2024-01-15: corrupt: the log counts 2 "
                                          "readings, but there are 1, also after"))));
}

TEST_F(ClaimsTest, O4WhatCannotBeCountedAgainFailsAlone) {
  Sql("ALTER FUNCTION open_data_recount_days(bigint[], date[]) RENAME TO count_again;"
      "CREATE FUNCTION open_data_recount_days(nodes bigint[], days date[]) RETURNS bigint "
      "LANGUAGE sql AS $$ SELECT 1 / ('2024-01-15' <> ALL (days))::int * count_again(nodes, days) "
      "$$;"
      "UPDATE open_data_export_logs SET records = 2 WHERE day >= '2024-01-14'");
  const Ran ran = Run();
  EXPECT_THAT(ran.items, SizeIs(9));
  EXPECT_THAT(ran.errors, ElementsAre(HasSubstr("location 1, 2024-01-15: corrupt: ")));
  EXPECT_EQ(Ask("SELECT sum(attempts) FROM open_data_export_logs"), "1");
}

TEST_F(ClaimsTest, O4DaysAreCountedAgainWhateverIsolationTheDatabaseBeginsWith) {
  Sql("ALTER DATABASE " + Ask("SELECT quote_ident(current_database())") +
      " SET default_transaction_isolation = 'repeatable read';"
      "UPDATE open_data_export_logs SET records = 74 WHERE day = '2024-01-15'");
  const Ran ran = Run();
  EXPECT_THAT(ran.items, SizeIs(10));
  EXPECT_THAT(ran.errors, IsEmpty());
}

TEST_F(ClaimsTest, O14ASessionThatIsLostAfterALongReadIsWaitedForAllTheSame) {
  store_.before_put = [&] {
    store_.before_put = [] {};
    clock_.Advance(options_.retry_for * 2);
    EndSessions();
  };
  EXPECT_THAT(RunInTime().items, SizeIs(10));
}

/// As idle_session_timeout of the writing role does, where a read takes longer.
TEST_F(ClaimsTest, O14WorkThatLosesItsSessionEachTimeFailsAfterThree) {
  int reads = 0;
  store_.before_put = [&] {
    ++reads;
    EndSessions();
  };
  const auto failed = InTime(
      [this] { return Process(PlannedJob(), {.planned = 10, .attempts = 1, .lease_token = 1}); });
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(reads, 3);
  EXPECT_FALSE(failed.error().retryable);
  EXPECT_THAT(failed.error().message,
              HasSubstr("; the session ended 3 times in a row before a day was exported; look at "
                        "idle_session_timeout"));
}

TEST_F(ClaimsTest, O14SessionsThatAreLostWhileDaysAreExportedAreNoReasonToFail) {
  Sql("INSERT INTO measurements SELECT 11, timestamptz '2021-01-01T12:00Z' + n * interval '1 day', "
      "n FROM generate_series(1, 1090) n");
  int puts = 0;
  store_.after_put = [&] {
    if (++puts % 2 == 0) EndSessions();
  };
  const auto result = InTime(
      [this] { return Process(PlannedJob(), {.planned = 1100, .attempts = 1, .lease_token = 1}); });
  EXPECT_EQ(Must(result).counts.written, 1100);
  EXPECT_EQ(puts, 9) << "four were lost";
}

/// With a server of its own, which stops while days are exported.
class AwayTest : public ClaimsTest {
 protected:
  AwayTest() {
    options_.read_address = options_.write_address = server_.Url(database_name_);
    const auto connection = Must(postgres::Connection::Open(options_.write_address));
    std::ifstream schema(SPILLWAY_OPEN_DATA_EXAMPLE);
    Must(connection->ExecuteScript(std::string(std::istreambuf_iterator<char>(schema), {})));
    Must(MigrateLog(*connection));
    Must(connection->ExecuteScript(
        "SELECT open_data_track('measurements');"
        "INSERT INTO measurands VALUES (1, 'pm25', 'µg/m³');"
        "INSERT INTO timezones VALUES (1, 'UTC');"
        "INSERT INTO sensor_nodes VALUES (1, 'Station', 1.5, -2.25, 1);"
        "INSERT INTO sensor_systems VALUES (1, 1); INSERT INTO sensors VALUES (11, 1, 1);"
        "INSERT INTO measurements SELECT 11, timestamptz '2022-01-01T12:00Z' + n * interval '1 "
        "day', n FROM generate_series(1, 700) n"));
  }

  Result<engine::ChunkResult> ProcessAway(const engine::Job& job, int64_t lease_token) {
    if (away_ == nullptr) {
      away_ = Must(OpenData::Make(options_, Destinations(), system_, Random(5)));
    }
    return ProcessWith(
        *away_, job, {.planned = 700, .attempts = lease_token, .lease_token = lease_token}, store_);
  }

  std::string AskAway(const std::string& sql) {
    const auto connection = Must(postgres::Connection::Open(options_.write_address));
    return std::string(Must(connection->Execute(sql)).Text(0, 0));
  }

  postgres::TestServer server_;
  const std::string database_name_ = server_.NewDatabase();
  SystemClock system_;
  std::unique_ptr<OpenData> away_;
};

TEST_F(AwayTest, O14AServerThatComesBackIsWaitedFor) {
  int puts = 0;
  store_.before_put = [&] {
    if (++puts == 2) server_.Restart();
    if (puts == 3) server_.Stop();
  };
  std::jthread starts;
  store_.after_put = [&] {
    if (puts != 3 || starts.joinable()) return;
    // The server ends with the thread that started it.
    starts = std::jthread([this](const std::stop_token& stop) {
      server_.Start();
      while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    });
  };
  Ran ran;
  Take(Must(ProcessAway(PlannedJob(), 1)), ran);
  EXPECT_EQ(ran.counts.written, 700);
  std::ranges::sort(ran.items);
  EXPECT_EQ(std::ranges::adjacent_find(ran.items), ran.items.end());
  EXPECT_EQ(AskAway("SELECT count(*) FROM open_data_states WHERE state <> 'exported'"), "0");
}

TEST_F(AwayTest, O14AServerThatStaysAwayFailsTheChunkAndARedriveGoesOn) {
  const engine::Job job = PlannedJob();
  int puts = 0;
  store_.before_put = [&] {
    if (++puts == 2) server_.Stop();
  };
  options_.retry_for = std::chrono::seconds(1);
  const auto failed = ProcessAway(job, 1);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(failed.error().retryable) << "it was waited for";
  EXPECT_THAT(failed.error().message, HasSubstr("it was waited for 1 s (open_data.retry_for)"));
  server_.Start();
  EXPECT_EQ(AskAway("SELECT count(*) FROM open_data_export_logs WHERE queued_on IS NOT NULL"),
            "250");
  Ran ran;
  Take(Must(ProcessAway(job, 2)), ran);
  EXPECT_EQ(ran.counts.written, 700);
  EXPECT_EQ(AskAway("SELECT count(*) FROM open_data_states WHERE state <> 'exported'"), "0");
}

}  // namespace
}  // namespace spillway::recipe::open_data
