#pragma once

#include <set>

#include "store/conformance/job_store_fixture.h"

namespace spillway::store {

using engine::Job;
using engine::JobPhase;
using engine::JobState;
using engine::Lease;
using std::chrono::seconds;

TEST_P(JobStoreConformance, ANewJobIsPendingAndEmpty) {
  Job request = Request("task");
  request.run = 7;
  request.state = JobState::kSucceeded;
  request.phase = JobPhase::kCompleted;
  request.counts.written = 5;
  request.lease_owner = "me";
  const Created created = Must(store_->Create(request, false));
  EXPECT_TRUE(created.created);

  const Job job = Must(Another()->Get(created.job.id));
  EXPECT_EQ(job.id, "task-1");
  EXPECT_EQ(job.run, 1);
  EXPECT_EQ(job.state, JobState::kPending);
  EXPECT_EQ(job.phase, JobPhase::kInitializing);
  EXPECT_EQ(job.created_at, clock_.Now());
  EXPECT_EQ(job.updated_at, clock_.Now());
  EXPECT_FALSE(job.started_at || job.finished_at || job.cancel_requested_at || job.failure);
  EXPECT_EQ(job.counts, engine::Counts());
  EXPECT_EQ(job.chunks_total, 0);
  EXPECT_EQ(job.lease_owner, "");
  EXPECT_EQ(job.plan + job.outcome, "");
}

TEST_P(JobStoreConformance, KeepsEveryText) {
  const std::string odd = std::string(kOddText) + std::string("\0nul", 4);
  Job request = Request("task", odd);
  request.export_name = request.recipe = request.tenant = request.parameters =
      request.requested_by = odd;
  const std::string id = Must(store_->Create(request, false)).job.id;
  ASSERT_TRUE(Must(store_->Admit(odd, 1)));
  const Lease lease = Hold(id, odd);
  Must(store_->Update(lease, {.plan = std::string(100'000, 'p') + odd, .outcome = odd}));
  Must(store_->Update(lease, {.state = JobState::kFailed,
                              .failure = Error{.code = ErrorCode::kUnavailable,
                                               .message = odd,
                                               .retryable = true,
                                               .retry_after = std::chrono::milliseconds(1500)},
                              .actor = odd,
                              .cause = odd}));

  const Job job = Must(store_->Get(id));
  EXPECT_EQ(job.export_name, odd);
  EXPECT_EQ(job.recipe, odd);
  EXPECT_EQ(job.tenant, odd);
  EXPECT_EQ(job.group, odd);
  EXPECT_EQ(job.parameters, odd);
  EXPECT_EQ(job.requested_by, odd);
  EXPECT_EQ(job.plan, std::string(100'000, 'p') + odd);
  EXPECT_EQ(job.outcome, odd);
  ASSERT_TRUE(job.failure);
  EXPECT_EQ(job.failure->code, ErrorCode::kUnavailable);
  EXPECT_EQ(job.failure->message, odd);
  EXPECT_TRUE(job.failure->retryable);
  EXPECT_EQ(job.failure->retry_after, std::chrono::milliseconds(1500));
  EXPECT_EQ(Must(store_->History(id)).back().cause, odd);
  EXPECT_EQ(Must(store_->List({.tenant = odd}, "", 10)).jobs.size(), 1U);
}

TEST_P(JobStoreConformance, ARepeatedRequestFindsTheStandingRun) {
  const Job first = Create("task");
  const auto repeated = [&](bool fresh) { return Must(Another()->Create(Request("task"), fresh)); };
  EXPECT_EQ(repeated(false).job.id, first.id);
  EXPECT_FALSE(repeated(false).created);

  ASSERT_TRUE(Must(store_->Admit("group", 1)));
  EXPECT_EQ(repeated(false).job.state, JobState::kProcessing);

  const Created fresh = repeated(true);
  EXPECT_TRUE(fresh.created);
  EXPECT_EQ(fresh.job.id, "task-2");
  EXPECT_EQ(fresh.job.run, 2);
  EXPECT_EQ(repeated(false).job.id, "task-2");
  EXPECT_EQ(Create("other").id, "other-1");
}

TEST_P(JobStoreConformance, ARunThatIsOverOrToBeCancelledDoesNotStand) {
  const Lease decided = Decided("succeeds");
  Must(store_->Update(decided, {.state = JobState::kSucceeded}));
  const Job fails = Processing("fails");
  Must(store_->Update(Hold(fails.id), ToFailed()));
  const Job cancelled = Create("cancelled");
  Must(store_->RequestCancel(cancelled.id, "ada", ""));

  const Job cancelling = Processing("cancelling");
  Must(store_->RequestCancel(cancelling.id, "ada", ""));

  EXPECT_EQ(Must(store_->Create(Request("succeeds"), false)).job.id, "succeeds-2");
  EXPECT_EQ(Must(store_->Create(Request("cancelling"), false)).job.id, "cancelling-2");
  EXPECT_EQ(Must(store_->Create(Request("fails"), false)).job.id, "fails-2");
  EXPECT_EQ(Must(store_->Create(Request("cancelled"), false)).job.id, "cancelled-2");
}

TEST_P(JobStoreConformance, AnUnknownJobIsNotFound) {
  const Lease lease{.job_id = "none", .owner = "worker", .token = 1};
  EXPECT_EQ(CodeOf(store_->Get("none")), "not_found");
  EXPECT_EQ(CodeOf(store_->History("none")), "not_found");
  EXPECT_EQ(CodeOf(store_->AcquireJob("none", "worker", kLease)), "not_found");
  EXPECT_EQ(CodeOf(store_->Update(lease, {})), "not_found");
  EXPECT_EQ(CodeOf(store_->RequestCancel("none", "ada", "")), "not_found");
  EXPECT_EQ(CodeOf(store_->Redrive("none", "ada")), "not_found");
  EXPECT_EQ(CodeOf(store_->ListChunks("none", std::nullopt, -1, 10)), "not_found");
  EXPECT_EQ(CodeOf(store_->AddChunks(lease, std::vector<NewChunk>(1))), "not_found");
  EXPECT_FALSE(GivesOut("none", 0));
  EXPECT_FALSE(RenewOne(*store_, lease));
  EXPECT_FALSE(
      SettleOne({.lease = {.job_id = "none", .chunk = 0, .owner = "worker", .token = 1}}).applied);
}

TEST_P(JobStoreConformance, AdmitsTheOldestUpToTheLimitOfItsGroup) {
  std::vector<std::string> ids;
  for (const char* task : {"c", "a", "b", "d"}) ids.push_back(Create(task).id);
  const std::string elsewhere = Create("e", "other group").id;
  EXPECT_EQ(Must(store_->WaitingGroups(Timestamp::max())),
            (std::vector<std::string>{"group", "other group"}));

  EXPECT_TRUE(Must(store_->WaitingGroups(Must(store_->Get(ids[0])).created_at)).empty());
  EXPECT_FALSE(Must(store_->Admit("group", 0)));
  EXPECT_FALSE(Must(store_->Admit("no group", 3)));
  clock_.Advance(seconds(5));
  const Job first = Must(store_->Admit("group", 2)).value();
  EXPECT_EQ(first.id, ids[0]);
  EXPECT_EQ(first.state, JobState::kProcessing);
  EXPECT_EQ(first.started_at, clock_.Now());
  EXPECT_EQ(Must(store_->Admit("group", 2))->id, ids[1]);
  EXPECT_FALSE(Must(store_->Admit("group", 2)));
  EXPECT_EQ(Must(store_->Admit("other group", 1))->id, elsewhere);
  EXPECT_EQ(Must(store_->WaitingGroups(Timestamp::max())), std::vector<std::string>{"group"});

  Must(store_->Update(Hold(ids[1]), ToFailed()));
  EXPECT_EQ(Must(store_->Admit("group", 2))->id, ids[2]);
  EXPECT_FALSE(Must(store_->Admit("group", 2)));
  EXPECT_EQ(Must(store_->Admit("group", 3))->id, ids[3]);
  EXPECT_TRUE(Must(store_->WaitingGroups(Timestamp::max())).empty());
}

TEST_P(JobStoreConformance, AJobHasOneHolderAtATime) {
  const Job pending = Create("pending");
  EXPECT_EQ(CodeOf(store_->AcquireJob(pending.id, "worker", kLease)), "conflict");

  const Job job = Processing("task");
  const Lease first = Hold(job.id, "first");
  EXPECT_EQ(first.expires_at, clock_.Now() + kLease);
  EXPECT_EQ(Must(store_->Get(job.id)).attempts, 1);
  EXPECT_EQ(CodeOf(store_->AcquireJob(job.id, "second", kLease)), "conflict");
  clock_.Advance(kLease - seconds(1));
  EXPECT_EQ(CodeOf(Another()->AcquireJob(job.id, "second", kLease)), "conflict");
  clock_.Advance(seconds(1));
  const Lease second = Hold(job.id, "second");
  EXPECT_GT(second.token, first.token);
  EXPECT_EQ(Must(store_->Get(job.id)).attempts, 2);

  Must(store_->Update(second, {.release = true}));
  EXPECT_EQ(Must(store_->Get(job.id)).lease_owner, "");
  const Lease third = Hold(job.id, "first");
  EXPECT_GT(third.token, second.token);
  EXPECT_EQ(CodeOf(store_->AcquireJob(job.id, "", kLease)), "invalid_argument");
}

TEST_P(JobStoreConformance, ALostLeaseChangesNothing) {
  const Job job = Processing("task");
  const Lease lost = Hold(job.id, "first");
  clock_.Advance(kLease * 2);
  // Expired, but nobody took it: still the newest token.
  EXPECT_EQ(CodeOf(store_->Update(lost, {.planned = 1})), "ok");
  const Lease held = Hold(job.id, "second");

  const Job before = Must(store_->Get(job.id));
  EXPECT_EQ(CodeOf(store_->Update(lost, {.phase = JobPhase::kCompleted, .outcome = "stolen"})),
            "conflict");
  EXPECT_EQ(CodeOf(store_->Update(lost, ToFailed())), "conflict");
  EXPECT_EQ(CodeOf(store_->Update(lost, {.release = true})), "conflict");
  EXPECT_EQ(CodeOf(store_->AddChunks(lost, std::vector<NewChunk>(1))), "conflict");
  EXPECT_FALSE(RenewOne(*store_, lost));
  Lease forged = held;
  forged.owner = "first";
  EXPECT_EQ(CodeOf(store_->Update(forged, {.planned = 2})), "conflict");
  forged = held;
  ++forged.token;
  EXPECT_EQ(CodeOf(store_->Update(forged, {.planned = 2})), "conflict");
  const Job after = Must(store_->Get(job.id));
  EXPECT_EQ(after.phase, before.phase);
  EXPECT_EQ(after.outcome, "");
  EXPECT_EQ(after.lease_owner, "second");
  EXPECT_EQ(after.counts.planned, 1);

  const Lease newest = Hold(job.id, "second");
  EXPECT_EQ(CodeOf(store_->Update(held, {.planned = 3})), "conflict")
      << "the same owner's older token";
  EXPECT_EQ(CodeOf(store_->AddChunks(held, std::vector<NewChunk>(1))), "conflict");
  EXPECT_FALSE(RenewOne(*store_, held));
  Must(store_->Update(newest, {.release = true}));
  EXPECT_EQ(CodeOf(store_->Update(newest, {.planned = 3})), "conflict");
  Lease nobody = newest;
  nobody.owner = "";
  EXPECT_EQ(CodeOf(store_->Update(nobody, {.planned = 3})), "conflict");
}

TEST_P(JobStoreConformance, AnUpdateChangesWhatItNames) {
  const Job job = Processing("task");
  const Lease lease = Hold(job.id);
  clock_.Advance(seconds(1));
  const engine::Counts counts{.planned = 9, .written = 4, .excluded = 3, .failed = 2, .bytes = 77};
  Job updated = Must(store_->Update(lease, {.counts = counts, .plan = "the plan"}));
  EXPECT_EQ(updated.counts, counts);
  EXPECT_EQ(updated.plan, "the plan");
  EXPECT_EQ(updated.updated_at, clock_.Now());
  EXPECT_EQ(updated.attempts, 1);
  updated = Must(store_->Update(
      lease, {.phase = JobPhase::kDiscovering, .planned = 12, .bytes_planned = 1 << 30}));
  EXPECT_EQ(updated.bytes_planned, 1 << 30);
  EXPECT_EQ(updated.attempts, 1);
  EXPECT_EQ(updated.counts.planned, 12);
  EXPECT_EQ(updated.counts.written, 4);
  EXPECT_EQ(updated.plan, "the plan");
  EXPECT_EQ(updated.state, JobState::kProcessing);

  Hold(job.id);
  const Lease again = Hold(job.id);
  EXPECT_EQ(Must(store_->Update(again, {.phase = JobPhase::kDiscovering})).attempts, 3);
  EXPECT_EQ(Must(store_->History(job.id)).size(), 2U);
}

TEST_P(JobStoreConformance, ThePhaseOnlyMovesForward) {
  const Job job = Planned("task", 1);
  const Lease lease = Hold(job.id);
  for (const JobPhase phase : {JobPhase::kInitializing, JobPhase::kDiscovering}) {
    EXPECT_EQ(CodeOf(store_->Update(lease, {.phase = phase})), "conflict");
  }
  EXPECT_EQ(CodeOf(store_->Update(lease, {.phase = JobPhase::kFinalizing})), "conflict")
      << "a chunk is open";
  EXPECT_EQ(CodeOf(store_->Update(lease, {.phase = JobPhase::kCompleted})), "conflict")
      << "a chunk is open";
  SettleOne(Success(Claimed(job.id, 0)));
  EXPECT_EQ(CodeOf(store_->Update(lease, {.phase = JobPhase::kFinalizing})), "ok");
  EXPECT_EQ(CodeOf(store_->Update(lease, {.phase = JobPhase::kProcessing})), "conflict");
  EXPECT_EQ(Must(store_->Get(job.id)).phase, JobPhase::kFinalizing);
}

TEST_P(JobStoreConformance, NothingSucceedsThatDoesNotReconcile) {
  const Job job = Planned("task", 2);
  SettleOne(Success(Claimed(job.id, 0)));
  SettleOne(Success(Claimed(job.id, 1), 9));
  const Lease lease = Hold(job.id);
  EXPECT_EQ(CodeOf(store_->Update(lease, {.state = JobState::kSucceeded})), "conflict");
  EXPECT_EQ(CodeOf(store_->Update(lease, {.phase = JobPhase::kCompleted})), "conflict");
  EXPECT_EQ(
      CodeOf(store_->Update(lease, {.state = JobState::kSucceeded, .phase = JobPhase::kCompleted})),
      "conflict");
  EXPECT_EQ(Must(store_->Get(job.id)).state, JobState::kProcessing);

  engine::Counts counts = Must(store_->Get(job.id)).counts;
  counts.excluded = 1;
  Must(store_->Update(lease, {.phase = JobPhase::kCompleted, .counts = counts}));
  --counts.excluded;
  EXPECT_NE(CodeOf(store_->Update(lease, {.counts = counts})), "ok");
  EXPECT_EQ(Must(store_->Update(lease, {.state = JobState::kSucceeded})).counts.excluded, 1);
}

TEST_P(JobStoreConformance, AFinalStateEndsEverything) {
  const Lease lease = Decided("task");
  Must(store_->Update(lease,
                      {.failure = Error{.code = ErrorCode::kUnavailable, .message = "passing"}}));
  clock_.Advance(seconds(3));
  const Job job = Must(store_->Update(
      lease, {.state = JobState::kSucceeded, .actor = "worker", .cause = "published"}));
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.finished_at, clock_.Now());
  EXPECT_EQ(job.lease_owner, "");
  EXPECT_EQ(job.outcome, "outcome");
  EXPECT_FALSE(job.failure);

  EXPECT_EQ(CodeOf(store_->Update(lease, {.outcome = "another"})), "conflict");
  EXPECT_EQ(CodeOf(store_->Update(lease, ToFailed())), "conflict");
  EXPECT_EQ(CodeOf(store_->AcquireJob(job.id, "finisher", kLease)), "conflict");
  EXPECT_EQ(CodeOf(store_->RequestCancel(job.id, "ada", "")), "conflict");
  EXPECT_EQ(CodeOf(store_->Redrive(job.id, "ada")), "conflict");
  EXPECT_FALSE(GivesOut(job.id, 0));
  EXPECT_EQ(Must(store_->Get(job.id)).outcome, "outcome");
}

TEST_P(JobStoreConformance, AFinalStateHasItsCause) {
  const Job job = Processing("task");
  const Lease lease = Hold(job.id);
  EXPECT_EQ(CodeOf(store_->Update(lease, {.state = JobState::kFailed})), "conflict");
  EXPECT_EQ(CodeOf(store_->Update(lease, {.state = JobState::kCancelled})), "conflict");
  EXPECT_EQ(CodeOf(store_->Update(lease, {.state = JobState::kPending})), "conflict");
  EXPECT_EQ(CodeOf(store_->Update(lease, {.state = JobState::kSucceeded})), "conflict");
  const Job failed = Must(store_->Update(lease, ToFailed()));
  EXPECT_EQ(failed.failure->message, "the disk is full");
  EXPECT_EQ(failed.finished_at, clock_.Now());
  EXPECT_EQ(failed.phase, JobPhase::kInitializing);
}

TEST_P(JobStoreConformance, AJobThatIsToBeCancelledDoesNotFail) {
  const Job job = Processing("task");
  const Lease lease = Hold(job.id);
  Must(store_->RequestCancel(job.id, "ada", "a typo"));
  EXPECT_EQ(CodeOf(store_->Update(lease, ToFailed())), "conflict");
  EXPECT_EQ(CodeOf(store_->Update(lease, {.state = JobState::kCancelled})), "ok");
}

TEST_P(JobStoreConformance, APendingJobIsCancelledAtOnce) {
  const Job job = Create("task");
  const Job cancelled = Must(store_->RequestCancel(job.id, "grace", "wrong dates"));
  EXPECT_EQ(cancelled.state, JobState::kCancelled);
  EXPECT_EQ(cancelled.finished_at, clock_.Now());
  EXPECT_FALSE(Must(store_->Admit("group", 3)));
  EXPECT_EQ(CodeOf(store_->RequestCancel(job.id, "grace", "")), "conflict");
  const auto history = Must(store_->History(job.id));
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[1].from, JobState::kPending);
  EXPECT_EQ(history[1].actor, "grace");
  EXPECT_EQ(history[1].cause, "wrong dates");
}

TEST_P(JobStoreConformance, AJobInProcessingIsMarkedAndThenDiscarded) {
  const Job job = Planned("task", 2);
  const engine::Chunk chunk = Claimed(job.id, 0);
  const Timestamp requested_at = clock_.Now();
  EXPECT_EQ(Must(store_->RequestCancel(job.id, "grace", "wrong dates")).state,
            JobState::kProcessing);
  clock_.Advance(seconds(1));
  EXPECT_EQ(Must(Another()->RequestCancel(job.id, "ada", "me too")).cancel_requested_at,
            requested_at);
  EXPECT_FALSE(GivesOut(job.id, 1));
  EXPECT_TRUE(CancelRequested(job.id));
  EXPECT_TRUE(RenewOne(*store_, LeaseOf(chunk)));

  const Lease lease = Hold(job.id);
  const Job cancelled =
      Must(store_->Update(lease, {.state = JobState::kCancelled, .outcome = "receipt"}));
  EXPECT_EQ(cancelled.state, JobState::kCancelled);
  EXPECT_EQ(cancelled.outcome, "receipt");
  EXPECT_EQ(Must(store_->History(job.id)).back().actor, "grace");
  EXPECT_EQ(Must(store_->History(job.id)).back().cause, "wrong dates");
  EXPECT_FALSE(RenewOne(*store_, LeaseOf(chunk)));
  EXPECT_FALSE(SettleOne(Success(chunk)).applied);
}

TEST_P(JobStoreConformance, AChangeOfPhaseForgetsTheAttemptsOfTheOneBefore) {
  const Job job = Processing("task");
  const Error failure{.code = ErrorCode::kUnavailable, .message = "away"};
  Must(store_->Update(Hold(job.id), {.phase = JobPhase::kDiscovering, .failure = failure}));
  const Lease lease = Hold(job.id);
  const Job same = Must(store_->Update(lease, {.phase = JobPhase::kDiscovering}));
  EXPECT_EQ(same.attempts, 2);
  EXPECT_TRUE(same.failure.has_value());
  const Job next = Must(store_->Update(lease, {.phase = JobPhase::kProcessing, .release = true}));
  EXPECT_EQ(next.attempts, 0);
  EXPECT_FALSE(next.failure.has_value());
}

TEST_P(JobStoreConformance, DiscardingHasAttemptsAndAFailureOfItsOwn) {
  const Error failure{.code = ErrorCode::kUnavailable, .message = "away"};
  for (const bool discarded : {true, false}) {
    const Job job = Processing(discarded ? "discarded" : "not discarded");
    Must(store_->Update(Hold(job.id), {.failure = failure, .release = true}));
    EXPECT_EQ(Must(store_->RequestCancel(job.id, "ada", "a typo")).attempts, 0);
    EXPECT_EQ(Must(store_->Get(job.id)).attempts, 0);
    const Lease lease = Hold(job.id);
    JobUpdate update{.state = JobState::kCancelled, .outcome = "receipt"};
    if (!discarded) update.failure = failure;
    Must(store_->Update(lease, update));
    EXPECT_EQ(Must(store_->Get(job.id)).failure.has_value(), !discarded);
  }
}

TEST_P(JobStoreConformance, TheCommitPointAndACancellationExcludeEachOther) {
  const Lease decided = Decided("decided");
  EXPECT_EQ(CodeOf(store_->RequestCancel(decided.job_id, "ada", "")), "conflict");
  EXPECT_FALSE(Must(store_->Get(decided.job_id)).cancel_requested_at);

  const Job job = Planned("cancelled", 1);
  SettleOne(Success(Claimed(job.id, 0)));
  const Lease lease = Hold(job.id);
  Must(store_->RequestCancel(job.id, "ada", ""));
  EXPECT_EQ(CodeOf(store_->Update(lease, {.phase = JobPhase::kCompleted, .outcome = "too late"})),
            "conflict");
  EXPECT_EQ(Must(store_->Get(job.id)).outcome, "");
}

TEST_P(JobStoreConformance, HistoryHasEveryStep) {
  const Job created = Create("task");
  clock_.Advance(seconds(1));
  Must(store_->Admit("group", 1));
  clock_.Advance(seconds(1));
  Must(store_->Update(Hold(created.id), ToFailed()));
  clock_.Advance(seconds(1));
  Must(store_->Redrive(created.id, "grace"));

  const auto history = Must(store_->History(created.id));
  ASSERT_EQ(history.size(), 4U);
  const std::vector<std::pair<std::optional<JobState>, JobState>> steps = {
      {std::nullopt, JobState::kPending},
      {JobState::kPending, JobState::kProcessing},
      {JobState::kProcessing, JobState::kFailed},
      {JobState::kFailed, JobState::kPending}};
  for (size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(history[i].job_id, created.id);
    EXPECT_EQ(history[i].sequence, static_cast<int64_t>(i) + 1);
    EXPECT_EQ(history[i].from, steps[i].first);
    EXPECT_EQ(history[i].to, steps[i].second);
    EXPECT_EQ(history[i].at, created.created_at + seconds(i));
    EXPECT_NE(history[i].actor, "");
    EXPECT_NE(history[i].cause, "");
  }
  EXPECT_EQ(history[0].actor, "ada");
  EXPECT_EQ(history[2].actor, "worker");
  EXPECT_EQ(history[3].actor, "grace");
}

TEST_P(JobStoreConformance, RedriveRunsTheDeadChunksAgain) {
  const Job job = Planned("task", 3);
  SettleOne(Success(Claimed(job.id, 0)));
  SettleOne(Failure(Claimed(job.id, 1), Settlement::Kind::kDead));
  const engine::Chunk waiting = Claimed(job.id, 2);
  SettleOne(Failure(waiting, Settlement::Kind::kRetry));
  EXPECT_EQ(CodeOf(store_->Redrive(job.id, "ada")), "conflict");
  Must(store_->Update(Hold(job.id), ToFailed()));

  const Job redriven = Must(store_->Redrive(job.id, "ada"));
  EXPECT_EQ(redriven.state, JobState::kPending);
  EXPECT_EQ(redriven.phase, JobPhase::kProcessing);
  EXPECT_EQ(redriven.chunks_total, 3);
  EXPECT_EQ(redriven.chunks_succeeded, 1);
  EXPECT_EQ(redriven.chunks_dead, 0);
  EXPECT_EQ(redriven.counts.written, 10);
  EXPECT_EQ(redriven.plan, "plan");
  EXPECT_FALSE(redriven.failure || redriven.finished_at || redriven.started_at);
  EXPECT_EQ(CodeOf(store_->Redrive(job.id, "ada")), "conflict");
  EXPECT_EQ(ChunkAt(job.id, 0)->state, engine::ChunkState::kSucceeded);
  EXPECT_EQ(ChunkAt(job.id, 1)->state, engine::ChunkState::kPending);
  EXPECT_EQ(ChunkAt(job.id, 1)->attempts, 0);

  EXPECT_FALSE(GivesOut(job.id, 1));
  Must(store_->Admit(job.group, 1));
  const engine::Chunk again = Claimed(job.id, 1);
  EXPECT_EQ(again.attempts, 1);
  EXPECT_GT(again.lease_token, 1);
  EXPECT_FALSE(GivesOut(job.id, 0));
  EXPECT_EQ(SettleOne(Success(again)).chunks_open, 1);
}

TEST_P(JobStoreConformance, AJobThatWaitsToBeRedrivenIsDiscardedWhenItIsLetIn) {
  const Job job = Planned("task", 2);
  SettleOne(Success(Claimed(job.id, 0)));
  SettleOne(Failure(Claimed(job.id, 1), Settlement::Kind::kDead));
  Must(store_->Update(Hold(job.id), ToFailed()));
  Must(store_->Redrive(job.id, "ada"));
  EXPECT_EQ(Must(store_->RequestCancel(job.id, "ada", "not wanted")).state, JobState::kPending);
  const auto admitted = Must(store_->Admit(job.group, 1));
  ASSERT_TRUE(admitted.has_value());
  EXPECT_TRUE(admitted->cancel_requested_at.has_value());
  EXPECT_FALSE(GivesOut(job.id, 1));
}

TEST_P(JobStoreConformance, RedriveOfAFailedPlanningStartsOver) {
  const Job job = Processing("task");
  const Lease lease = Hold(job.id);
  Must(store_->Update(
      lease, {.phase = JobPhase::kDiscovering, .planned = 5, .bytes_planned = 5, .plan = "half"}));
  AddChunks(lease, 3, 10);
  Must(store_->Update(lease, ToFailed()));

  const Job redriven = Must(store_->Redrive(job.id, "ada"));
  EXPECT_EQ(redriven.phase, JobPhase::kInitializing);
  EXPECT_EQ(redriven.plan, "");
  EXPECT_EQ(redriven.counts, engine::Counts());
  EXPECT_EQ(redriven.bytes_planned, 0);
  EXPECT_EQ(redriven.attempts, 0);
  EXPECT_TRUE(Must(store_->ListChunks(job.id, std::nullopt, -1, 10)).empty());
}

TEST_P(JobStoreConformance, RedriveAfterTheCommitPointOnlyPublishes) {
  const Lease lease = Decided("task");
  Must(store_->Update(lease, ToFailed()));
  const Job redriven = Must(store_->Redrive(lease.job_id, "ada"));
  EXPECT_EQ(redriven.phase, JobPhase::kCompleted);
  EXPECT_EQ(redriven.outcome, "outcome");
  Must(store_->Admit(redriven.group, 1));
  EXPECT_EQ(CodeOf(store_->RequestCancel(lease.job_id, "ada", "")), "conflict");
  EXPECT_EQ(CodeOf(store_->Update(Hold(lease.job_id), {.state = JobState::kSucceeded})), "ok");
}

}  // namespace spillway::store
