#include <random>
#include <thread>

#include "base/random.h"
#include "recipe/open_data/open_data_fixture.h"

namespace spillway::recipe::open_data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ExportLogTest : public OpenDataTest {
 protected:
  std::vector<LocationDay> Claim(const std::string& claimant, int64_t limit = 100,
                                 ClaimPolicy policy = {}) {
    const auto connection = Open();
    return Must(ChangeLog(*connection, policy, {claimant, "1"}).Claim(limit, "infinity", {}));
  }

  void AddDays(int first, int last) {
    for (int day = first; day <= last; ++day) {
      AddReading(11, fmt::format("2024-01-{:02}T12:00:00Z", day));
    }
  }
};

TEST_F(ExportLogTest, HoldingMakesOldClaimsYoung) {
  AddLocation(1, "UTC");
  AddDays(1, 2);
  const auto connection = Open();
  ChangeLog log(*connection, {}, {"me", "1"});
  const std::vector<LocationDay> days = Must(log.Claim(100, "infinity", {}));
  ASSERT_EQ(days.size(), 2);
  Sql("UPDATE open_data_export_logs SET queued_on = CASE day WHEN '2024-01-01'"
      " THEN now() - interval '10 minutes' ELSE now() - interval '50 minutes' END");
  EXPECT_EQ(Must(log.Hold(days, {})).size(), 2);
  EXPECT_EQ(Ask("SELECT string_agg(round(extract(epoch FROM now() - queued_on) / 600)::text, ' '"
                " ORDER BY day) FROM open_data_export_logs"),
            "1 0");
  const auto another = Open();
  ChangeLog other(*another, {}, {"you", "1"});
  EXPECT_THAT(Must(other.Claim(100, "infinity", {})), IsEmpty());
  EXPECT_THAT(Must(other.Hold(days, {})), IsEmpty());
}

TEST_F(ExportLogTest, ADayBoundThatIsNotInForceExportsNothing) {
  options_.time_ending = false;
  CollectedPlan collected;
  const auto refused = Recipe().MakePlan(NewJob(), collected, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_THAT(refused.error().message,
              HasSubstr("open_data.day is time_beginning, but the log counts by time_ending; run "
                        "the operation `open-data migrate`"));
  Must(SetDayBound(*database_, false));
  EXPECT_TRUE(Recipe().MakePlan(NewJob(), collected, {}).has_value());
}

/// Any changes in any statements: the log counts as a count of everything does.
TEST_F(ExportLogTest, CountsEveryChange) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  AddLocation(1, "Australia/Lord_Howe");
  AddLocation(2, "America/St_Johns");
  for (int step = 0; step < 150; ++step) {
    const auto sensor = (random.Below(2) + 1) * 10 + random.Below(2) + 1;
    const auto begin = fmt::format("timestamptz '2024-03-30T00:00Z' + {} * interval '10 minutes'",
                                   random.Below(1500));
    const auto span =
        fmt::format("{} AND {} + interval '{} hours'", begin, begin, random.Below(60));
    switch (random.Below(10)) {
      case 0:
        Sql(fmt::format("DELETE FROM measurements WHERE datetime BETWEEN {}", span));
        break;
      case 1:
        Sql(fmt::format("UPDATE measurements SET value = 7 WHERE datetime BETWEEN {}", span));
        break;
      case 2:
        Sql(
            fmt::format("UPDATE measurements SET datetime = datetime + interval '{} microseconds' "
                        "WHERE sensors_id = {} AND datetime BETWEEN {}",
                        random.Below(1'000'000'000'000), sensor, span));
        break;
      case 3:
        if (random.Below(10) == 0) Sql("TRUNCATE measurements");
        break;
      default:
        Sql(
            fmt::format("INSERT INTO measurements SELECT {}, {} + n * interval '1 hour', n FROM "
                        "generate_series(1, {}) n ON CONFLICT DO NOTHING",
                        sensor, begin, random.Below(80)));
    }
  }
  EXPECT_EQ(CountAgain(), "0");
  EXPECT_EQ(
      Ask("SELECT sum(records) - (SELECT count(*) FROM measurements) FROM open_data_export_logs"),
      "0");
}

TEST_F(ExportLogTest, RecountFindsReadingsFromBeforeTheLog) {
  AddLocation(1, "UTC");
  Sql("ALTER TABLE measurements DISABLE TRIGGER USER");
  AddDays(1, 5);
  Sql("ALTER TABLE measurements ENABLE TRIGGER USER");
  EXPECT_THAT(Run().items, IsEmpty());
  EXPECT_EQ(CountAgain(), "5");
  EXPECT_EQ(Run().items.size(), 5U);
  Sql("UPDATE open_data_export_logs SET records = 9 WHERE day = '2024-01-03'");
  EXPECT_EQ(CountAgain(), "1");
  EXPECT_THAT(Run().items, ElementsAre("1/2024-01-03"));
}

TEST_F(ExportLogTest, AModificationIsAlwaysLater) {
  AddLocation(1, "UTC");
  AddDays(1, 1);
  Sql("UPDATE open_data_export_logs SET exported_on = '2999-01-01', modified_on = '2998-01-01'");
  AddReading(11, "2024-01-01T13:00:00Z");
  EXPECT_EQ(State(1, "2024-01-01"), "pending") << "whatever the clocks did";
}

TEST_F(ExportLogTest, TwoClaimantsNeverClaimTheSame) {
  AddLocation(1, "UTC");
  AddDays(1, 9);
  const auto other = Open();
  Must(other->Execute("BEGIN"));
  Must(other->Execute("SELECT get_pending(4, 'first#0!')"));
  EXPECT_EQ(Claim("second").size(), 5U) << "the locked ones are passed over";
  Must(other->Execute("COMMIT"));
  EXPECT_THAT(Claim("third"), IsEmpty());
  EXPECT_EQ(Claim("first").size(), 4U) << "those of an attempt that is over are there still";
}

TEST_F(ExportLogTest, WhoCallsWithoutANameGetsNoDayTwice) {
  AddLocation(1, "UTC");
  AddDays(1, 9);
  const auto pending = [this](const std::string& arguments) {
    return Ask("SELECT count(*) FROM get_pending(" + arguments + ")");
  };
  EXPECT_EQ(pending("2"), "2");
  EXPECT_EQ(pending("100"), "7");
  EXPECT_EQ(pending("100"), "0");
  Sql("UPDATE open_data_export_logs SET queued_on = now() - interval '61 minutes' WHERE day < "
      "'2024-01-05'");
  EXPECT_EQ(pending("3, 'me'"), "3") << "which nobody settled";
  EXPECT_EQ(pending("100"), "1");
  EXPECT_EQ(pending("100, 'me'"), "3") << "its own again";
  EXPECT_EQ(Ask("SELECT count(*) FROM open_data_export_logs WHERE claim = session_user"), "6");
}

TEST_F(ExportLogTest, AbandonedClaimsReturn) {
  AddLocation(1, "UTC");
  AddDays(1, 3);
  ASSERT_EQ(Claim("dead").size(), 3U);
  EXPECT_THAT(Run().items, IsEmpty());
  Sql("UPDATE open_data_export_logs SET queued_on = now() - interval '61 minutes'");
  EXPECT_EQ(Run().items.size(), 3U);
}

TEST_F(ExportLogTest, PendingIsCountedAsItIsClaimed) {
  AddLocation(1, "UTC");
  AddDays(1, 9);
  const auto connection = Open();
  ChangeLog log(*connection, {}, {"me", "1"});
  EXPECT_EQ(Must(log.CountPending(100, {})), 9);
  EXPECT_EQ(Must(log.CountPending(4, {})), 4);
  Must(log.Claim(2, "infinity", {}));
  EXPECT_EQ(Must(log.CountPending(100, {})), 7);
  Must(log.Release());
  EXPECT_EQ(Must(log.CountPending(100, {})), 9);
}

TEST_F(ExportLogTest, RolesMayDoWhatTheyNeedAndNoMore) {
  Sql("DROP ROLE IF EXISTS od_reader; DROP ROLE IF EXISTS od_writer");
  EXPECT_THAT(GrantLog(*database_, "od_reader", "od_writer").error().message,
              HasSubstr("there is no role \"od_reader\"; run: CREATE ROLE \"od_reader\" LOGIN"));
  Sql("CREATE ROLE od_reader LOGIN; CREATE ROLE od_writer LOGIN");
  Must(GrantLog(*database_, "od_reader", "od_writer"));
  options_.read_address = Url("od_reader");
  options_.write_address = Url("od_writer");
  AddLocation(1, "UTC");
  AddDays(1, 3);
  EXPECT_EQ(Run().items.size(), 3U);

  const auto reader = Open("od_reader");
  const auto writer = Open("od_writer");
  for (const char* forbidden :
       {"UPDATE open_data_export_logs SET day = day", "SELECT get_pending(1)",
        "DELETE FROM measurements", "SELECT open_data_recount_locations(NULL, NULL)"}) {
    const auto refused = reader->Execute(forbidden);
    ASSERT_FALSE(refused.has_value()) << forbidden;
    EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied) << forbidden;
  }
  for (const char* forbidden : {"SELECT * FROM open_data_export_logs", "SELECT * FROM measurements",
                                "UPDATE open_data_export_logs SET day = day",
                                "SELECT open_data_recount_locations(NULL, NULL)",
                                "SELECT open_data_upsert('{1}', '{2024-01-01}', '{1}')"}) {
    const auto refused = writer->Execute(forbidden);
    ASSERT_FALSE(refused.has_value()) << forbidden;
    EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied) << forbidden;
  }
  Sql("DROP OWNED BY od_reader; DROP OWNED BY od_writer; DROP ROLE od_reader; DROP ROLE od_writer");
}

TEST_F(ExportLogTest, MigratesOnceHoweverManyTry) {
  Sql("CREATE SCHEMA fresh");
  std::vector<std::jthread> migrations;
  for (int i = 0; i < 4; ++i) {
    migrations.emplace_back([this] {
      const auto connection = Open();
      EXPECT_TRUE(MigrateLog(*connection, "fresh").has_value());
    });
  }
  migrations.clear();
  Sql("SET search_path = fresh");
  EXPECT_EQ(Must(LogVersion(*database_)), LogVersionKnown());
  EXPECT_EQ(Must(MigrateLog(*database_)), LogVersionKnown());
  Sql("INSERT INTO open_data_migrations VALUES (99)");
  const auto newer = MigrateLog(*database_);
  ASSERT_FALSE(newer.has_value());
  EXPECT_EQ(newer.error().code, ErrorCode::kUnsupported);
  Sql("SET search_path = nowhere");
  EXPECT_THAT(MigrateLog(*database_).error().message, HasSubstr("no schema of the search_path"));
}

TEST_F(ExportLogTest, NoSecondLogIsMadeByMistake) {
  Sql("CREATE SCHEMA other; SET search_path = other");
  EXPECT_THAT(MigrateLog(*database_).error().message,
              HasSubstr("there is an export log in schema public, and this would make another in "
                        "other; write open_data.database.schema: public, or other where"));
  EXPECT_THAT(CheckLog(*database_).error().message,
              HasSubstr("has no export log in schema other, but one in public; write "
                        "open_data.database.schema: public"));
  EXPECT_EQ(Ask("SELECT to_regclass('other.open_data_export_logs') IS NULL"), "t");
  EXPECT_EQ(Must(MigrateLog(*database_, "other")), 0) << "where it is meant";
}

TEST_F(ExportLogTest, NoLogIsMadeApartFromItsViews) {
  Sql("CREATE SCHEMA views; CREATE SCHEMA other; ALTER VIEW open_data_measurements SET SCHEMA "
      "views;"
      "DROP VIEW open_data_states CASCADE; DROP TABLE open_data_migrations, open_data_export_logs "
      "CASCADE; SET search_path = other");
  EXPECT_THAT(MigrateLog(*database_).error().message,
              HasSubstr("the views for an export log are in schema views, and this would make "
                        "another in other; write open_data.database.schema: views"));
  EXPECT_THAT(MigrateLog(*database_, "mistyped").error().message,
              HasSubstr("the views for an export log are in schema views"));
  EXPECT_EQ(Ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'mistyped'"), "0");
}

TEST_F(ExportLogTest, ARunSaysThatThereIsNoLog) {
  Sql("DROP TABLE open_data_migrations");
  CollectedPlan collected;
  const auto plan = Recipe().MakePlan(NewJob(), collected, {});
  ASSERT_FALSE(plan.has_value());
  EXPECT_THAT(plan.error().message,
              HasSubstr("has no export log; run the operation `open-data migrate`"));
}

TEST_F(ExportLogTest, GrantsNameTheViewThatIsMissing) {
  Sql("DROP VIEW open_data_measurements");
  EXPECT_THAT(GrantLog(*database_, "postgres", "postgres").error().message,
              HasSubstr("no view public.open_data_measurements; create it"));
}

}  // namespace
}  // namespace spillway::recipe::open_data
