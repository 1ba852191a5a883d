#include "maintenance/timetable.h"

#include <memory>
#include <set>
#include <sstream>

#include <date/date.h>
#include <gmock/gmock.h>

#include "base/time_zone.h"
#include "engine/acts_fixture.h"

namespace spillway::engine {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class TimetableTest : public ActsTest {
 protected:
  TimetableTest() {
    // 2026-03-02T12:00:30Z
    clock_.Advance(date::sys_days(date::year(2026) / 3 / 2) + hours(12) + seconds(30) -
                   clock_.Now());
  }

  Schedule Of(const std::string& cron, CatchUp catch_up = CatchUp::kLast,
              std::chrono::milliseconds within = hours(24)) {
    return {.name = "nightly",
            .recipe = "lines",
            .cron = *schedule::Cron::Parse(cron),
            .zone = TimeZone(),
            .catch_up = catch_up,
            .catch_up_within = within,
            .request = [this](Timestamp tick) -> Result<recipe::Request> {
              if (refusal_) return std::unexpected(*refusal_);
              return recipe::Request{.export_name = "lines",
                                     .who = {.user = "schedule nightly", .organisation = "t"},
                                     .parameters = '"' + FormatTimestamp(tick).substr(5, 11) + '"'};
            }};
  }

  Timetable Start(const Schedule& schedule) {
    return Timetable(engine_, store_, clock_, log_, {schedule});
  }

  /// The ticks that fired, in order.
  std::vector<std::string> Fired() {
    std::vector<std::string> ticks;
    const auto page = store_.List({}, "", 100);
    for (const Job& job : page->jobs) {
      ticks.insert(ticks.begin(), job.parameters.substr(1, job.parameters.size() - 2));
    }
    return ticks;
  }

  std::optional<Error> refusal_;
};

TEST_F(TimetableTest, ATickFiresOnceItHasCome) {
  Timetable timetable = Start(Of("5 * * * *"));
  EXPECT_EQ(*timetable.FireDue(), 0);
  clock_.Advance(minutes(4));
  EXPECT_EQ(*timetable.FireDue(), 0);
  clock_.Advance(minutes(1));
  EXPECT_EQ(*timetable.FireDue(), 1);
  EXPECT_EQ(*timetable.FireDue(), 0);
  EXPECT_THAT(Fired(), ElementsAre("03-02T12:05"));
  const store::ScheduleRecord record = store_.Schedules()->at(0);
  EXPECT_EQ(FormatTimestamp(*record.last_tick), "2026-03-02T12:05:00.000000Z");
  EXPECT_EQ(store_.Get(record.last_job_id)->requested_by, "schedule nightly");
  WorkOff();
  EXPECT_EQ(store_.Get(record.last_job_id)->state, JobState::kSucceeded);
}

TEST_F(TimetableTest, ManyTimetablesFireEachTickOnce) {
  std::vector<std::unique_ptr<Timetable>> servers;
  for (int i = 0; i < 3; ++i) {
    servers.push_back(
        std::make_unique<Timetable>(engine_, store_, clock_, log_, std::vector{Of("* * * * *")}));
  }
  for (int i = 0; i < 10; ++i) {
    for (const auto& server : servers) ASSERT_TRUE(server->FireDue().has_value());
    clock_.Advance(minutes(1));
  }
  const std::vector<std::string> fired = Fired();
  EXPECT_EQ(fired.size(), 9U);
  EXPECT_EQ(std::set<std::string>(fired.begin(), fired.end()).size(), 9U);
}

TEST_F(TimetableTest, OfMissedTicksTheLastIsCaughtUp) {
  ASSERT_TRUE(Start(Of("0 * * * *")).FireDue().has_value());
  clock_.Advance(hours(5));
  Timetable restarted = Start(Of("0 * * * *"));
  EXPECT_EQ(*restarted.FireDue(), 1);
  EXPECT_THAT(Fired(), ElementsAre("03-02T17:00"));
}

TEST_F(TimetableTest, AllMissedTicksAreCaughtUp) {
  ASSERT_TRUE(Start(Of("0 * * * *")).FireDue().has_value());
  clock_.Advance(hours(3));
  Timetable restarted = Start(Of("0 * * * *", CatchUp::kAll));
  EXPECT_EQ(*restarted.FireDue(), 3);
  EXPECT_THAT(Fired(), UnorderedElementsAre("03-02T13:00", "03-02T14:00", "03-02T15:00"));
}

TEST_F(TimetableTest, MissedTicksMayBePassedOver) {
  ASSERT_TRUE(Start(Of("0 * * * *")).FireDue().has_value());
  clock_.Advance(hours(3) + minutes(30));
  Timetable restarted = Start(Of("0 * * * *", CatchUp::kNone));
  EXPECT_EQ(*restarted.FireDue(), 0);
  EXPECT_EQ(store_.Schedules()->at(0).settled_until, clock_.Now());
  clock_.Advance(minutes(30));
  EXPECT_EQ(*restarted.FireDue(), 1);
  EXPECT_THAT(Fired(), ElementsAre("03-02T16:00"));
}

TEST_F(TimetableTest, ATickNotAMinuteLateIsNotMissed) {
  Timetable timetable = Start(Of("0 * * * *", CatchUp::kNone));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(minutes(60));  // 13:00:30
  EXPECT_EQ(*timetable.FireDue(), 1);
  clock_.Advance(minutes(60) + seconds(30) + std::chrono::microseconds(1));  // 14:01:00.000001
  EXPECT_EQ(*timetable.FireDue(), 0);
}

TEST_F(TimetableTest, WhatIsTooOldIsNotCaughtUp) {
  for (const CatchUp catch_up : {CatchUp::kAll, CatchUp::kLast}) {
    Schedule schedule = Of("0 * * * *", catch_up, hours(2));
    schedule.name += std::to_string(static_cast<int>(catch_up));
    ASSERT_TRUE(Start(schedule).FireDue().has_value());
    clock_.Advance(hours(5));
    EXPECT_EQ(*Start(schedule).FireDue(), catch_up == CatchUp::kAll ? 2 : 1);
  }
  Schedule daily = Of("0 0 * * *", CatchUp::kAll, hours(2));
  daily.name = "daily";
  ASSERT_TRUE(Start(daily).FireDue().has_value());
  clock_.Advance(hours(24 * 3));
  EXPECT_EQ(*Start(daily).FireDue(), 0);
}

TEST_F(TimetableTest, ANewScheduleBeginsWithTheTickAfterTheFirstLook) {
  Timetable timetable = Start(Of("* * * * *", CatchUp::kAll));
  EXPECT_EQ(*timetable.FireDue(), 0);
  EXPECT_THAT(Fired(), IsEmpty());
  clock_.Advance(seconds(30));
  EXPECT_EQ(*timetable.FireDue(), 1);
}

TEST_F(TimetableTest, AProcessThatWasPausedDoesNotFireWhatOthersPassedOver) {
  Timetable paused = Start(Of("0 * * * *"));
  ASSERT_TRUE(paused.FireDue().has_value());
  clock_.Advance(hours(1));
  // Both see 13:00 come; the other one fires, and goes on.
  ASSERT_EQ(*Start(Of("0 * * * *")).FireDue(), 1);
  EXPECT_EQ(*paused.FireDue(), 0);
  EXPECT_EQ(*paused.FireDue(), 0);
  EXPECT_THAT(Fired(), ElementsAre("03-02T13:00"));
}

TEST_F(TimetableTest, ATickThatCannotBeFiredStaysDue) {
  Timetable timetable = Start(Of("0 * * * *"));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(hours(1));
  refusal_ = Error{.code = ErrorCode::kUnavailable, .message = "no zone"};
  EXPECT_EQ(timetable.FireDue().error().message, "schedule nightly: no zone");
  store_.SetAway(true);
  EXPECT_FALSE(timetable.FireDue().has_value());
  store_.SetAway(false);
  refusal_.reset();
  clock_.Advance(seconds(1));
  EXPECT_EQ(*timetable.FireDue(), 1);
  EXPECT_THAT(Fired(), ElementsAre("03-02T13:00"));
}

/// C5: what is asked for at a tick may cost reads of a lake or a database.
TEST_F(TimetableTest, WhatCannotBeFiredIsTriedMoreAndMoreRarely) {
  int asked = 0;
  Schedule schedule = Of("5 * * * *");
  schedule.request = [&, request = schedule.request](Timestamp tick) {
    ++asked;
    return request(tick);
  };
  Timetable timetable = Start(schedule);
  ASSERT_TRUE(timetable.FireDue().has_value());
  refusal_ = Error{.code = ErrorCode::kInvalidArgument, .message = "no zone"};
  clock_.Advance(minutes(5));
  for (int look = 0; look < 2 * 60 * 60; ++look) {  // Every half second of an hour.
    static_cast<void>(timetable.FireDue());
    clock_.Advance(std::chrono::milliseconds(500));
  }
  EXPECT_GT(asked, 100);
  EXPECT_LT(asked, 140);
  refusal_.reset();
  clock_.Advance(seconds(30));
  EXPECT_GE(*timetable.FireDue(), 1);
}

TEST_F(TimetableTest, AFiringIsARunOfItsOwnBesideTheOneThatStands) {
  Schedule schedule = Of("0 * * * *");
  schedule.request = [](Timestamp) -> Result<recipe::Request> {
    return recipe::Request{
        .export_name = "lines", .who = {.organisation = "t"}, .parameters = "\"same\""};
  };
  Timetable timetable = Start(schedule);
  ASSERT_TRUE(timetable.FireDue().has_value());
  const std::string by_hand = Submit("\"same\"");
  clock_.Advance(hours(1));
  EXPECT_EQ(*timetable.FireDue(), 1);
  EXPECT_THAT(Fired(), ElementsAre("same", "same"));
}

}  // namespace
}  // namespace spillway::engine
