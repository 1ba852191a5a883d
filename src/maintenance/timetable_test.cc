#include "maintenance/timetable.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>

#include <date/date.h>
#include <gmock/gmock.h>

#include "base/time_zone.h"
#include "maintenance/timetable_fixture.h"

namespace spillway::engine {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

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

TEST_F(TimetableTest, ATickStaysDueWhileItsReasonMayPass) {
  Timetable timetable = Start(Of("0 * * * *"));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(hours(1));
  refusal_ = Error{.code = ErrorCode::kUnavailable, .message = "no lake"};
  EXPECT_EQ(*timetable.FireDue(), 0);
  refusal_ = Error{.code = ErrorCode::kNotFound, .message = "not mounted", .retryable = true};
  clock_.Advance(seconds(1));
  EXPECT_EQ(*timetable.FireDue(), 0);
  EXPECT_THAT(Fired(), IsEmpty());
  store_.SetAway(true);
  clock_.Advance(seconds(2));
  EXPECT_FALSE(timetable.FireDue().has_value());
  store_.SetAway(false);
  refusal_.reset();
  clock_.Advance(seconds(1));
  EXPECT_EQ(*timetable.FireDue(), 1);
  EXPECT_THAT(Fired(), ElementsAre("03-02T13:00"));
}

TEST_F(TimetableTest, ATickThatCannotBeFiredLeavesAFailedJob) {
  Timetable timetable = Start(Of("0 * * * *"));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(hours(1));
  refusal_ = Error{.code = ErrorCode::kNotFound, .message = "no messages of t"};
  EXPECT_EQ(*timetable.FireDue(), 0);
  EXPECT_EQ(*timetable.FireDue(), 0);
  EXPECT_EQ(*Start(Of("0 * * * *")).FireDue(), 0);  // As after a restart.
  ASSERT_EQ(Jobs().size(), 1U);
  const Job failed = Jobs()[0];
  EXPECT_EQ(failed.state, JobState::kFailed);
  EXPECT_EQ(failed.failure->message, "no messages of t");
  EXPECT_EQ(failed.failure->code, ErrorCode::kNotFound);
  EXPECT_EQ(failed.export_name, "lines");
  EXPECT_EQ(failed.recipe, "lines");
  EXPECT_EQ(failed.tenant, "t");
  EXPECT_EQ(failed.requested_by, "schedule nightly, 2026-03-02T13:00:00.000000Z");
  const store::ScheduleRecord record = store_.Schedules()->at(0);
  EXPECT_EQ(FormatTimestamp(*record.last_tick), "2026-03-02T13:00:00.000000Z");
  EXPECT_EQ(record.last_job_id, failed.id);

  refusal_.reset();
  clock_.Advance(hours(1));
  EXPECT_EQ(*timetable.FireDue(), 1);
  EXPECT_THAT(Fired(), ElementsAre("", "03-02T14:00"));
}

TEST_F(TimetableTest, WhatTheRecipeRefusesStandsInTheFailedJob) {
  lines_->before_canonical = [](const recipe::Request&) -> Result<> {
    return Fail(ErrorCode::kInvalidArgument, "a field is wrong");
  };
  Timetable timetable = Start(Of("0 * * * *"));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(hours(1));
  EXPECT_EQ(*timetable.FireDue(), 0);
  EXPECT_THAT(Fired(), ElementsAre("03-02T13:00"));  // The parameters that were asked for.
  const Job failed = Jobs()[0];
  EXPECT_EQ(failed.failure->message, "a field is wrong");
  EXPECT_EQ(failed.task_id, TaskId("lines", "t", failed.parameters));
}

TEST_F(TimetableTest, AnExceptionOfARecipeFailsItsTickOnly) {
  lines_->before_canonical = [](const recipe::Request&) -> Result<> {
    throw std::runtime_error("out of luck");
  };
  Timetable timetable = Start(Of("0 * * * *"));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(hours(1));
  EXPECT_EQ(*timetable.FireDue(), 0);
  EXPECT_EQ(Jobs().at(0).failure->message, "an unexpected exception: out of luck");
}

TEST_F(TimetableTest, AfterAStopATickStaysDue) {
  std::stop_source stop;
  // The stop ends a call to a bucket.
  lines_->before_canonical = [&](const recipe::Request&) -> Result<> {
    stop.request_stop();
    return Fail(ErrorCode::kCancelled, "stopped");
  };
  Timetable timetable = Start(Of("0 * * * *"));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(hours(1));
  EXPECT_EQ(*timetable.FireDue(stop.get_token()), 0);
  EXPECT_THAT(Jobs(), testing::IsEmpty());

  lines_->before_canonical = [](const recipe::Request&) { return Result<>(); };
  EXPECT_EQ(*timetable.FireDue(stop.get_token()), 0) << "nothing more is begun";
  EXPECT_EQ(*Start(Of("0 * * * *")).FireDue(), 1);
}

/// C5: what is asked for at a tick may cost reads of a lake or a database.
TEST_F(TimetableTest, WhatMayPassIsTriedMoreAndMoreRarely) {
  int asked = 0;
  Schedule schedule = Of("5 * * * *");
  schedule.request = [&, request = schedule.request](Timestamp tick) {
    ++asked;
    return request(tick);
  };
  Timetable timetable = Start(schedule);
  ASSERT_TRUE(timetable.FireDue().has_value());
  refusal_ = Error{.code = ErrorCode::kUnavailable, .message = "no lake"};
  clock_.Advance(minutes(5));
  for (int look = 0; look < 2 * 59 * 60; ++look) {  // Every half second of 59 minutes.
    EXPECT_EQ(*timetable.FireDue(), 0);
    clock_.Advance(std::chrono::milliseconds(500));
  }
  EXPECT_GT(asked, 12);
  EXPECT_LT(asked, 24);
  EXPECT_THAT(Jobs(), IsEmpty());
  refusal_.reset();
  clock_.Advance(minutes(5));
  EXPECT_EQ(*timetable.FireDue(), 1);
}

TEST_F(TimetableTest, APauseEndsWithTheNextTick) {
  Timetable timetable = Start(Of("* * * * *"));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(seconds(30));
  refusal_ = Error{.code = ErrorCode::kUnavailable,
                   .message = "no lake",
                   .retry_after = std::chrono::milliseconds(minutes(10))};
  EXPECT_EQ(*timetable.FireDue(), 0);
  refusal_.reset();
  clock_.Advance(seconds(59));
  EXPECT_EQ(*timetable.FireDue(), 0);
  EXPECT_THAT(Jobs(), IsEmpty());
  clock_.Advance(seconds(1));
  EXPECT_EQ(*timetable.FireDue(), 1);
}

TEST_F(TimetableTest, ATickThatFailsUntilTheNextOneComesLeavesAFailedJob) {
  for (const CatchUp catch_up : {CatchUp::kLast, CatchUp::kAll, CatchUp::kNone}) {
    Schedule schedule = Of("* * * * *", catch_up);
    schedule.name = "policy " + std::to_string(static_cast<int>(catch_up));
    Timetable timetable = Start(schedule);
    ASSERT_TRUE(timetable.FireDue().has_value());
    clock_.Advance(seconds(30));
    const std::string tick = FormatTimestamp(clock_.Now());
    const size_t before = Jobs().size();
    refusal_ = Error{.code = ErrorCode::kUnavailable, .message = "no lake"};
    EXPECT_EQ(*timetable.FireDue(), 0);
    for (int look = 0; look < 61; ++look) {
      clock_.Advance(seconds(1));
      ASSERT_TRUE(timetable.FireDue().has_value());
    }
    ASSERT_EQ(Jobs().size(), before + 1);
    const Job failed = Jobs().back();
    EXPECT_EQ(failed.state, JobState::kFailed);
    EXPECT_EQ(failed.failure->message, "no lake");
    EXPECT_EQ(failed.requested_by, "schedule " + schedule.name + ", " + tick);
    refusal_.reset();
    clock_.Advance(seconds(40));
    EXPECT_EQ(*timetable.FireDue(), 1);
    clock_.Advance(std::chrono::ceil<minutes>(clock_.Now()) - clock_.Now() + seconds(30));
  }
}

/// The state that fires a tick is away, not what the tick needs.
TEST_F(TimetableTest, AnOutageOfTheStateTakesNoTimeFromATick) {
  Timetable timetable = Start(Of("0 * * * *", CatchUp::kAll));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(hours(1));
  refusal_ = Error{.code = ErrorCode::kUnavailable, .message = "no lake"};
  EXPECT_EQ(*timetable.FireDue(), 0);
  store_.SetAway(true);
  for (int look = 0; look < 2 * 60; ++look) {
    clock_.Advance(minutes(1));
    EXPECT_FALSE(timetable.FireDue().has_value());
  }
  store_.SetAway(false);
  EXPECT_EQ(*timetable.FireDue(), 0);
  clock_.Advance(minutes(59));
  EXPECT_EQ(*timetable.FireDue(), 0);
  EXPECT_THAT(Jobs(), IsEmpty()) << "it was tried for 59 minutes";
  refusal_.reset();
  clock_.Advance(minutes(5));
  EXPECT_EQ(*timetable.FireDue(), 4);
  EXPECT_THAT(Fired(),
              UnorderedElementsAre("03-02T13:00", "03-02T14:00", "03-02T15:00", "03-02T16:00"));
  for (const Job& job : Jobs()) EXPECT_NE(job.state, JobState::kFailed);
}

TEST_F(TimetableTest, AnOutageThatBeginsWhileATickIsFiredTakesNoTimeFromIt) {
  Timetable timetable = Start(Of("0 * * * *", CatchUp::kAll));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(hours(1));
  store_.SetAway(true);
  EXPECT_EQ(*timetable.FireDue(),
            0);  // What is asked for is read; the state does not take the job.
  clock_.Advance(hours(2));
  store_.SetAway(false);
  refusal_ = Error{.code = ErrorCode::kUnavailable, .message = "no lake"};
  EXPECT_EQ(*timetable.FireDue(), 0);
  EXPECT_THAT(Jobs(), IsEmpty());
}

/// A tick that no process could begin in time is not forgotten without a trace.
TEST_F(TimetableTest, ATickThatWaitsForOthersForMoreThanAMinuteLeavesAFailedJob) {
  std::vector<Schedule> schedules = {Of("0 * * * *", CatchUp::kNone),
                                     Of("0,1 * * * *", CatchUp::kNone)};
  schedules[1].name = "other";
  Schedule& slow = schedules[0];
  slow.request = [this, request = slow.request](Timestamp tick) {
    clock_.Advance(seconds(130));  // It waits for a bucket.
    return request(tick);
  };
  Timetable timetable(engine_, store_, clock_, log_, schedules);
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(minutes(59) + seconds(30));  // 13:00:00
  EXPECT_EQ(*timetable.FireDue(), 1);         // 13:02:10
  EXPECT_EQ(*timetable.FireDue(), 0);
  const std::vector<Job> jobs = Jobs();
  ASSERT_THAT(jobs, SizeIs(3));
  std::vector<std::string> failed;
  for (const Job& job : jobs) {
    if (job.state != JobState::kFailed) continue;
    failed.push_back(job.requested_by);
    EXPECT_THAT(job.failure->message, HasSubstr("not started within a minute of its tick"));
  }
  EXPECT_THAT(failed, UnorderedElementsAre("schedule other, 2026-03-02T13:00:00.000000Z",
                                           "schedule other, 2026-03-02T13:01:00.000000Z"));
}

TEST_F(TimetableTest, EachTickThatComesWhileTheStateIsAwayLeavesAFailedJob) {
  Schedule other = Of("2 12 * * *", CatchUp::kNone);
  other.name = "later";
  Timetable timetable(engine_, store_, clock_, log_, {Of("1 12 * * *", CatchUp::kNone), other});
  ASSERT_TRUE(timetable.FireDue().has_value());
  store_.SetAway(true);
  for (int look = 0; look < 24; ++look) {
    clock_.Advance(seconds(10));
    static_cast<void>(timetable.FireDue());
  }
  store_.SetAway(false);
  clock_.Advance(minutes(5));  // They were put off.
  ASSERT_TRUE(timetable.FireDue().has_value());
  EXPECT_THAT(Fired(), UnorderedElementsAre("03-02T12:01", "03-02T12:02"));
  for (const Job& job : Jobs()) EXPECT_EQ(job.state, JobState::kFailed);
}

TEST_F(TimetableTest, ATickThatComesDuringAnAttemptOfItsOwnScheduleLeavesAFailedJob) {
  Schedule schedule = Of("* * * * *", CatchUp::kNone);
  seconds takes{130};
  schedule.request = [&, request = schedule.request](Timestamp tick) {
    clock_.Advance(std::exchange(takes, seconds(0)));
    return request(tick);
  };
  Timetable timetable = Start(schedule);
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(seconds(30));         // 12:01:00
  EXPECT_EQ(*timetable.FireDue(), 1);  // 12:03:10
  EXPECT_EQ(*timetable.FireDue(), 1);
  EXPECT_THAT(Fired(), UnorderedElementsAre("03-02T12:01", "03-02T12:02", "03-02T12:03"));
  for (const Job& job : Jobs())
    EXPECT_EQ(job.state == JobState::kFailed, job.parameters == "\"03-02T12:02\"")
        << job.parameters;
}

TEST_F(TimetableTest, TicksWhileTheProcessStoodStillLeaveNoFailedJobs) {
  Timetable timetable = Start(Of("* * * * *", CatchUp::kNone));
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(hours(3));  // The machine slept.
  EXPECT_EQ(*timetable.FireDue(), 1);
  EXPECT_THAT(Fired(), ElementsAre("03-02T15:00"));
}

TEST_F(TimetableTest, TicksWhileTheMachineSleptInAnAttemptLeaveNoFailedJobs) {
  std::vector<Schedule> schedules = {Of("* * * * *", CatchUp::kNone),
                                     Of("* * * * *", CatchUp::kNone)};
  schedules[1].name = "other";
  hours sleeps{3};
  schedules[0].request = [&, request = schedules[0].request](Timestamp tick) {
    clock_.Suspend(std::exchange(sleeps, hours(0)));
    return request(tick);
  };
  Timetable timetable(engine_, store_, clock_, log_, schedules);
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(seconds(40));         // 12:01:10
  EXPECT_EQ(*timetable.FireDue(), 2);  // 15:01:10
  EXPECT_EQ(*timetable.FireDue(), 1);
  EXPECT_THAT(Fired(), UnorderedElementsAre("03-02T12:01", "03-02T15:01", "03-02T15:01"));
  for (const Job& job : Jobs()) EXPECT_NE(job.state, JobState::kFailed) << job.requested_by;
}

TEST_F(TimetableTest, AFailedScheduleNeitherHidesNorHoldsUpOthers) {
  std::vector<std::string> asked;
  std::vector<Schedule> schedules;
  for (const char* name : {"bad", "worse", "good"}) {
    Schedule& schedule = schedules.emplace_back(Of("0 * * * *"));
    schedule.name = name;
    schedule.request = [&asked, name,
                        request = schedule.request](Timestamp tick) -> Result<recipe::Request> {
      asked.emplace_back(name);
      if (name == std::string("bad"))
        return FailTransient(ErrorCode::kUnavailable, "bad does not answer");
      if (name == std::string("worse"))
        return Fail(ErrorCode::kInvalidArgument, "worse has no messages");
      return request(tick);
    };
  }
  testing::internal::CaptureStderr();
  Log log(LogLevel::kInfo, LogFormat::kText, STDERR_FILENO);
  Timetable timetable(engine_, store_, clock_, log, schedules);
  ASSERT_TRUE(timetable.FireDue().has_value());
  clock_.Advance(hours(1));
  EXPECT_EQ(*timetable.FireDue(), 1);
  clock_.Advance(seconds(1));
  EXPECT_EQ(*timetable.FireDue(), 0);
  const std::string logged = testing::internal::GetCapturedStderr();
  EXPECT_THAT(logged, HasSubstr("bad does not answer"));
  EXPECT_EQ(logged.find("bad does not answer"), logged.rfind("bad does not answer"));  // Once.
  EXPECT_THAT(logged, HasSubstr("worse has no messages"));
  asked.clear();
  clock_.Advance(hours(1));
  testing::internal::CaptureStderr();
  EXPECT_EQ(*timetable.FireDue(), 1);
  testing::internal::GetCapturedStderr();
  // The one that failed the last time comes last; its old tick is looked up for its failed job.
  EXPECT_THAT(asked, ElementsAre("worse", "worse", "good", "bad", "bad"));
  EXPECT_THAT(Jobs(), SizeIs(5));
}

TEST_F(TimetableTest, OfTwoProcessesOneRecordsTheFailure) {
  Timetable one = Start(Of("0 * * * *"));
  Timetable other = Start(Of("0 * * * *"));
  ASSERT_TRUE(one.FireDue().has_value());
  ASSERT_TRUE(other.FireDue().has_value());
  refusal_ = Error{.code = ErrorCode::kUnavailable, .message = "no lake"};
  clock_.Advance(hours(1));
  EXPECT_EQ(*one.FireDue(), 0);
  EXPECT_EQ(*other.FireDue(), 0);
  clock_.Advance(minutes(59) + seconds(30));
  for (int look = 0; look < 3; ++look) {
    EXPECT_EQ(*one.FireDue(), 0);
    EXPECT_EQ(*other.FireDue(), 0);
    clock_.Advance(seconds(10));
  }
  EXPECT_THAT(Jobs(), SizeIs(1));
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
