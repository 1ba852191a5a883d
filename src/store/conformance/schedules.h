#pragma once

#include "store/conformance/job_store_fixture.h"

namespace spillway::store {

using engine::Job;
using engine::JobState;
using std::chrono::seconds;

TEST_P(JobStoreConformance, AFiringPutsItsJobAndMovesItsSchedule) {
  const Timestamp start = clock_.Now();
  const Fired begun = Must(store_->Fire({.schedule = "nightly", .until = start}));
  EXPECT_TRUE(begun.applied);
  EXPECT_FALSE(begun.job);
  ScheduleRecord record = Must(Another()->Schedules()).at(0);
  EXPECT_EQ(record.name, "nightly");
  EXPECT_EQ(record.settled_until, start);
  EXPECT_FALSE(record.last_tick);
  EXPECT_EQ(record.last_job_id, "");

  const Timestamp tick = start + seconds(60);
  const Fired fired = Must(
      store_->Fire({.schedule = "nightly", .after = start, .until = tick, .job = Request("task")}));
  EXPECT_TRUE(fired.applied);
  ASSERT_TRUE(fired.job);
  EXPECT_EQ(fired.job->id, "task-1");
  EXPECT_EQ(fired.job->state, JobState::kPending);
  EXPECT_EQ(Must(Another()->Get("task-1")).parameters, Request("task").parameters);
  EXPECT_EQ(Must(store_->History("task-1")).size(), 1U);
  record = Must(Another()->Schedules()).at(0);
  EXPECT_EQ(record.settled_until, tick);
  EXPECT_EQ(record.last_tick, tick);
  EXPECT_EQ(record.last_job_id, "task-1");

  // Ticks that are passed over leave what fired last.
  Must(store_->Fire({.schedule = "nightly", .after = tick, .until = tick + seconds(90)}));
  record = Must(Another()->Schedules()).at(0);
  EXPECT_EQ(record.settled_until, tick + seconds(90));
  EXPECT_EQ(record.last_tick, tick);
  EXPECT_EQ(record.last_job_id, "task-1");
}

TEST_P(JobStoreConformance, AFiringThatComesLateChangesNothing) {
  const Timestamp start = clock_.Now();
  const Timestamp tick = start + seconds(60);
  Must(store_->Fire({.schedule = "nightly", .until = start}));
  Must(store_->Fire({.schedule = "nightly", .after = start, .until = tick}));
  for (const std::optional<Timestamp> after :
       {std::optional<Timestamp>(), std::optional(start), std::optional(tick - seconds(1)),
        std::optional(tick + seconds(1))}) {
    const Fired late = Must(store_->Fire({.schedule = "nightly",
                                          .after = after,
                                          .until = tick + seconds(60),
                                          .job = Request("task")}));
    EXPECT_FALSE(late.applied);
    EXPECT_FALSE(late.job);
  }
  EXPECT_EQ(CodeOf(store_->Get("task-1")), "not_found");
  EXPECT_EQ(Must(store_->Schedules()).at(0).settled_until, tick);
  EXPECT_FALSE(Must(store_->Fire({.schedule = "unknown", .after = start, .until = tick})).applied);
  EXPECT_EQ(Must(store_->Schedules()).size(), 1U);
}

TEST_P(JobStoreConformance, AScheduleOnlyMovesForward) {
  const Timestamp start = clock_.Now();
  Must(store_->Fire({.schedule = "nightly", .until = start}));
  for (const Timestamp until : {start, start - seconds(1)}) {
    EXPECT_EQ(CodeOf(store_->Fire(
                  {.schedule = "nightly", .after = start, .until = until, .job = Request("task")})),
              "invalid_argument");
  }
  EXPECT_EQ(CodeOf(store_->Get("task-1")), "not_found");
}

TEST_P(JobStoreConformance, AFiringIsANewRunWhateverStands) {
  const Timestamp start = clock_.Now();
  Create("task");
  Must(store_->Fire({.schedule = "nightly", .until = start}));
  const Fired fired = Must(store_->Fire({.schedule = "nightly",
                                         .after = start,
                                         .until = start + seconds(60),
                                         .job = Request("task")}));
  EXPECT_EQ(fired.job->id, "task-2");
  EXPECT_EQ(Must(store_->Create(Request("task"), false)).job.id, "task-2");
}

TEST_P(JobStoreConformance, AFiringWhoseJobCannotBeMadePutsAFailedOne) {
  const Timestamp start = clock_.Now();
  const Timestamp tick = start + seconds(60);
  Create("task");
  Must(store_->Fire({.schedule = "nightly", .until = start}));
  clock_.Advance(seconds(61));
  const Firing firing{
      .schedule = "nightly",
      .after = start,
      .until = tick,
      .job = Request("task"),
      .failure = Error{.code = ErrorCode::kNotFound, .message = std::string(kOddText)}};
  const Fired fired = Must(store_->Fire(firing));
  ASSERT_TRUE(fired.job);
  EXPECT_EQ(fired.job->id, "task-2");
  EXPECT_EQ(fired.job->state, JobState::kFailed);
  EXPECT_FALSE(Must(store_->Fire(firing)).applied);

  const Job failed = Must(Another()->Get("task-2"));
  EXPECT_EQ(failed.state, JobState::kFailed);
  EXPECT_EQ(failed.failure->code, ErrorCode::kNotFound);
  EXPECT_EQ(failed.failure->message, kOddText);
  EXPECT_EQ(failed.created_at, clock_.Now());
  EXPECT_EQ(failed.finished_at, clock_.Now());
  EXPECT_FALSE(failed.started_at);
  EXPECT_EQ(failed.parameters, Request("task").parameters);
  const ScheduleRecord record = Must(Another()->Schedules()).at(0);
  EXPECT_EQ(record.settled_until, tick);
  EXPECT_EQ(record.last_tick, tick);
  EXPECT_EQ(record.last_job_id, "task-2");
  const auto history = Must(store_->History("task-2"));
  ASSERT_FALSE(history.empty());
  EXPECT_EQ(history.back().to, JobState::kFailed);
  EXPECT_EQ(history.back().cause, kOddText);

  // It has left nothing, and there is nothing to go on with.
  EXPECT_EQ(CodeOf(store_->Redrive("task-2", "ada")), "conflict");
  const Timestamp later = clock_.Now() + seconds(1);
  EXPECT_TRUE(Expirable(later, later, JobState::kFailed).empty());
  EXPECT_FALSE(Must(store_->Admit("group", 1)).value().id == "task-2");
  EXPECT_FALSE(Must(store_->Admit("group", 9)));
}

TEST_P(JobStoreConformance, SchedulesAreListedByTheirNames) {
  const Timestamp start = clock_.Now();
  const std::string odd = std::string(kOddText);
  for (const std::string& name : {std::string("b"), odd, std::string("a")}) {
    Must(store_->Fire({.schedule = name, .until = start}));
  }
  std::vector<std::string> names;
  for (const ScheduleRecord& record : Must(store_->Schedules())) names.push_back(record.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", odd}));
}

}  // namespace spillway::store
