/// The acts, as a worker does them: one after the other, over everything in memory.
#include <gmock/gmock.h>

#include "engine/acts_fixture.h"
#include "engine/discarder.h"
#include "engine/dispatch.h"
#include "engine/finisher.h"
#include "engine/planner.h"
#include "maintenance/sweeper.h"
#include "manifest/manifest.h"
#include "staging/outcome.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(ActsTest, AJobIsCarriedFromRequestToManifest) {
  const std::string job_id = Submit();
  WorkOff();
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.counts.written, 6);
  EXPECT_THAT(Published(job_id),
              ElementsAre("out/" + job_id + "/lines.txt", "out/" + job_id + "/manifest.json"));
  EXPECT_THAT(Staged(job_id), IsEmpty());
  EXPECT_THAT(Verify(objects_, "out/" + job_id, nullptr, {})->problems, IsEmpty());
  EXPECT_EQ(*storage::ReadWhole(objects_, "out/" + job_id + "/lines.txt"),
            "chunk 0\nchunk 0\nchunk 1\nchunk 1\nchunk 2\nchunk 2\n");
  EXPECT_EQ(*queue_.Depth(), 0);
}

/// C9: an answer that is another request's would be another tenant's export.
TEST_F(ActsTest, ARequestIsNotAnsweredWithAnotherOnesJob) {
  const std::string job_id = Submit("1");
  Job other = *store_.Get(job_id);
  EXPECT_EQ(other.task_id.size(), 32U);
  other.id = "other";
  other.task_id = TaskId("lines", "t", "2");
  other.tenant = "somebody else";
  ASSERT_TRUE(store_.Create(other, false).has_value());
  const auto answered = engine_.Submit(
      "lines", {.export_name = "lines", .who = {.organisation = "t"}, .parameters = "2"}, false);
  ASSERT_FALSE(answered.has_value());
  EXPECT_EQ(answered.error().message,
            "another request has the same task id, " + other.task_id + "; nothing was run");
}

TEST_F(ActsTest, N3AManifestTellsRecipientsNothingOfTheOperator) {
  lines_->source = R"({"server": "db.internal:5432/shop", "database": "shop", "rows": 6})";
  lines_->errors = {{.key = "a", .classification = "excluded", .message = "too old"},
                    {.key = "b", .classification = "unavailable", .message = "db.internal: gone"}};
  const std::string job_id = Submit(R"({"destination": "/srv/exports", "format": "csv"})");
  WorkOff();
  const std::string text = *storage::ReadWhole(objects_, "out/" + job_id + "/manifest.json");
  for (const char* fact : {"ada", "/srv", "destination", "internal", "shop", "requested_by"}) {
    EXPECT_EQ(text.find(fact), std::string::npos) << fact;
  }
  const Result<Manifest> manifest = ManifestFromJson(text);
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  EXPECT_EQ(manifest->parameters, R"({"format":"csv"})");
  EXPECT_EQ(manifest->source, R"({"rows":6})");
  ASSERT_EQ(manifest->errors.size(), 2U);
  EXPECT_EQ(manifest->errors[0].message, "too old");
  EXPECT_EQ(manifest->errors[1].key, "b");
  EXPECT_EQ(manifest->errors[1].classification, "unavailable");
  EXPECT_NE(store_.Get(job_id)->parameters.find("/srv/exports"), std::string::npos);
  EXPECT_EQ(store_.Get(job_id)->requested_by, "ada");
}

TEST_F(ActsTest, FilesThatChunksPutInPlaceAreListedByItem) {
  lines_->publishes_at_once = true;
  const std::string job_id = Submit();
  WorkOff();
  const auto job = store_.Get(job_id);
  ASSERT_EQ(job->state, JobState::kSucceeded) << job->failure.value_or(Error{}).message;
  EXPECT_EQ(job->counts,
            (Counts{.planned = 6, .written = 3, .excluded = 3, .failed = 0, .bytes = 54}));
  EXPECT_THAT(Keys("items/"), ElementsAre("items/0.txt", "items/1.txt", "items/2.txt"));
  const auto found = Verify(objects_, "out/" + job_id, nullptr, {});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_THAT(found->problems, IsEmpty());
  EXPECT_EQ(found->manifest.levels_up, 2);
  ASSERT_EQ(found->manifest.files.size(), 3U);
  EXPECT_EQ(found->manifest.files[1].name, "items/1.txt");
  EXPECT_EQ(found->manifest.files[1].item, "1");
  ASSERT_TRUE(objects_.Remove("items/1.txt"));
  EXPECT_THAT(Verify(objects_, "out/" + job_id, nullptr, {})->problems,
              ElementsAre("items/1.txt: is missing"));
}

TEST_F(ActsTest, AJobWithoutChunksSucceedsToo) {
  lines_->chunks = 0;
  const std::string job_id = Submit();
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
}

TEST_F(ActsTest, APlanThatDoesNotAddUpFails) {
  lines_->planned_more = 1;
  const std::string job_id = Submit();
  WorkOff();
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.failure->message, "the chunks are to hold 6 rows, the plan 7");
}

TEST_F(ActsTest, FilesThatHoldLessThanWasWrittenAreNotPublished) {
  lines_->drops_a_part = true;
  const std::string job_id = Submit();
  WorkOff();
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.failure->message,
            "the assembled files hold 4 rows, but 6 were written; nothing was published");
  EXPECT_THAT(Published(job_id), IsEmpty());
}

TEST_F(ActsTest, WhatFailedIsRedrivenAloneAndByTheSameProcess) {
  int processed = 0;
  bool broken = true;
  lines_->before_chunk = [&](const Chunk& chunk) -> Result<> {
    ++processed;
    if (broken && chunk.index == 1) return Fail(ErrorCode::kCorrupt, "the disk creaks");
    return {};
  };
  const std::string job_id = Submit();
  WorkOff();
  ASSERT_EQ(store_.Get(job_id)->state, JobState::kFailed);
  EXPECT_EQ(store_.Get(job_id)->failure->message,
            "1 of 3 chunks failed; the first: the disk creaks");
  broken = false;
  processed = 0;
  ASSERT_TRUE(engine_.Redrive(job_id, "ada").has_value());
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_EQ(processed, 1);
}

TEST_F(ActsTest, TransientErrorsHaveThreeAttempts) {
  int attempts = 0;
  lines_->chunks = 1;
  lines_->before_chunk = [&](const Chunk&) -> Result<> {
    ++attempts;
    return FailTransient(ErrorCode::kUnavailable, "away");
  };
  const std::string job_id = Submit();
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kFailed);
  EXPECT_EQ(attempts, 3);
}

TEST_F(ActsTest, F02WhatOnlyAnotherProcessCanDoIsGivenBackUncounted) {
  int given_back = 0;
  lines_->chunks = 1;
  lines_->before_chunk = [&](const Chunk& chunk) -> Result<> {
    EXPECT_EQ(chunk.attempts, 1);
    if (given_back == 10) return {};
    ++given_back;
    return std::unexpected(
        Error{.code = ErrorCode::kUnavailable, .message = "another's", .elsewhere = true});
  };
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  Worker worker(context_);
  KnownJobs known;
  while (given_back == 0) ASSERT_TRUE(worker.Step(random_, known).has_value());
  ASSERT_TRUE(worker.Step(random_, known).has_value());
  EXPECT_EQ(given_back, 1) << "it is asked for again without a pause";
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_EQ(given_back, 10);
}

TEST_F(ActsTest, PlanningAndFinishingHaveThreeAttemptsToo) {
  int attempts = 0;
  const auto away = [&]() -> Result<> {
    ++attempts;
    return FailTransient(ErrorCode::kUnavailable, "away");
  };
  lines_->before_plan = away;
  const std::string unplanned = Submit("1");
  WorkOff();
  EXPECT_EQ(store_.Get(unplanned)->state, JobState::kFailed);
  EXPECT_EQ(std::exchange(attempts, 0), 3);

  lines_->before_plan = [] { return Result<>(); };
  lines_->before_assembly = away;
  const std::string unfinished = Submit("2");
  WorkOff();
  EXPECT_EQ(store_.Get(unfinished)->state, JobState::kFailed);
  EXPECT_EQ(attempts, 3);
}

TEST_F(ActsTest, AStopIsHeardBetweenAssemblingAndSecuring) {
  const std::string job_id = Submit();
  lines_->before_assembly = [this] {
    heartbeat_.StopAll();
    return Result<>();
  };
  RunUntil(job_id, JobPhase::kFinalizing);
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kProcessing);
  EXPECT_EQ(store_.Get(job_id)->phase, JobPhase::kFinalizing);
  EXPECT_EQ(store_.Get(job_id)->lease_owner, "");
}

TEST_F(ActsTest, TwoThreadsOfOneProcessDoNotTakeAJobFromEachOther) {
  const std::string job_id = Submit();
  bool busy = false;
  const auto first = HoldJob(context_, job_id, &busy);
  ASSERT_TRUE(first->has_value());
  EXPECT_FALSE(HoldJob(context_, job_id, &busy)->has_value());
  EXPECT_TRUE(busy);
  EXPECT_TRUE(store_.Update((*first)->lease(), {.release = true}).has_value())
      << "still the holder";
}

TEST_F(ActsTest, ALeaseThatLapsedWhileTheStoreWasAwayIsGivenBack) {
  const std::string job_id = Submit();
  bool busy = false;
  const auto held = HoldJob(context_, job_id, &busy);
  store_.SetAway(true);
  clock_.Advance(options_.lease);
  heartbeat_.Beat();
  store_.SetAway(false);
  const Result<Verdict> verdict =
      FailAct(context_, **held, {.code = ErrorCode::kCancelled, .message = "stopped"}, random_);
  EXPECT_TRUE(verdict->again_in.has_value());
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kProcessing);
  EXPECT_EQ(store_.Get(job_id)->lease_owner, "");
}

TEST_F(ActsTest, WhoLostItsLeaseLeavesTheJobAlone) {
  const std::string job_id = Submit();
  bool busy = false;
  const auto held = HoldJob(context_, job_id, &busy);
  clock_.Advance(options_.lease);
  ASSERT_TRUE(store_.AcquireJob(job_id, "another", options_.lease).has_value());
  const Result<Verdict> verdict =
      FailAct(context_, **held, {.code = ErrorCode::kCorrupt, .message = "broken"}, random_);
  EXPECT_FALSE(verdict->again_in.has_value());
  EXPECT_EQ(store_.Get(job_id)->lease_owner, "another");
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kProcessing);
}

TEST_F(ActsTest, AnActThatEndsItsWorkersIsGivenUp) {
  const std::string job_id = Submit();
  for (int crash = 0; crash < 40 && store_.Get(job_id)->state == JobState::kProcessing; ++crash) {
    // A worker takes the job and is never heard of again.
    static_cast<void>(store_.AcquireJob(job_id, "crash", options_.lease));
    clock_.Advance(options_.lease);
    if (crash > 30) static_cast<void>(PlanJob(context_, job_id, random_));
  }
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kFailed);
  EXPECT_THAT(store_.Get(job_id)->failure->message, HasSubstr("ended or lost its lease"));
}

TEST_F(ActsTest, FinishingTooEarlyIsNoAttempt) {
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  const int64_t attempts = store_.Get(job_id)->attempts;
  for (int i = 0; i < 40; ++i) {
    EXPECT_FALSE(FinishJob(context_, job_id, random_)->again_in.has_value());
  }
  EXPECT_EQ(store_.Get(job_id)->attempts, attempts);
  EXPECT_FALSE(FinishJob(context_, "unknown-1", random_)->again_in.has_value());
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
}

TEST_F(ActsTest, AFinisherThatComesSecondFindsTheWorkDone) {
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kCompleted);
  WorkOff();
  const std::string manifest = *storage::ReadWhole(objects_, "out/" + job_id + "/manifest.json");
  bool busy = true;
  EXPECT_FALSE(HoldJob(context_, job_id, &busy)->has_value());
  EXPECT_FALSE(busy);
  EXPECT_FALSE(FinishJob(context_, job_id, random_)->again_in.has_value());
  EXPECT_EQ(*storage::ReadWhole(objects_, "out/" + job_id + "/manifest.json"), manifest);
}

TEST_F(ActsTest, ACancelledJobLeavesNothingAndSaysWhatItRemoved) {
  lines_->before_chunk = [this](const Chunk& chunk) -> Result<> {
    if (chunk.index == 2) {
      static_cast<void>(engine_.Cancel(store_.List({}, "", 1)->jobs[0].id, "ada", "a typo"));
    }
    return {};
  };
  const std::string job_id = Submit();
  WorkOff();
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kCancelled);
  EXPECT_THAT(Staged(job_id), IsEmpty());
  EXPECT_THAT(Published(job_id), IsEmpty());
  const Result<Receipt> receipt = ReceiptFromJson(job.outcome);
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->objects_removed, 1);
  EXPECT_EQ(receipt->bytes_removed, 6 * std::string_view("chunk 0\n").size());
}

TEST_F(ActsTest, ACancellationWaitsForWorkersThatStillWrite) {
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  ASSERT_TRUE(store_.ClaimChunks(job_id, -1, 1, "another", options_.lease).has_value());
  ASSERT_TRUE(engine_.Cancel(job_id, "ada", "a typo").has_value());
  EXPECT_TRUE(DiscardJob(context_, job_id, random_)->again_in.has_value());
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kProcessing);
  clock_.Advance(options_.lease);
  EXPECT_FALSE(DiscardJob(context_, job_id, random_)->again_in.has_value());
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kCancelled);
}

TEST_F(ActsTest, ACancellationThatCannotDiscardEndsAndSaysWhatRemains) {
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  ASSERT_TRUE(engine_.Cancel(job_id, "ada", "a typo").has_value());
  lines_->no_destination = Error{.code = ErrorCode::kPermissionDenied, .message = "read only"};
  EXPECT_FALSE(DiscardJob(context_, job_id, random_)->again_in.has_value());
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kCancelled);
  EXPECT_EQ(job.failure->message, "read only");
  EXPECT_EQ(ReceiptFromJson(job.outcome)->remaining, Staging::PrefixOf(job_id));
}

TEST_F(ActsTest, DiscardingHasThreeAttemptsOfItsOwn) {
  lines_->chunks = 0;
  const auto cancelled = [this](std::string parameters) {
    const std::string job_id = Submit(std::move(parameters));
    for (int crash = 0; crash < 5; ++crash) {
      static_cast<void>(store_.AcquireJob(job_id, "crash", options_.lease));
      clock_.Advance(options_.lease);
    }
    EXPECT_TRUE(engine_.Cancel(job_id, "ada", "a typo").has_value());
    return job_id;
  };
  const std::string given_up = cancelled("1");
  lines_->no_destination =
      Error{.code = ErrorCode::kUnavailable, .message = "away", .retryable = true};
  EXPECT_TRUE(DiscardJob(context_, given_up, random_)->again_in.has_value());
  EXPECT_EQ(store_.Get(given_up)->failure->message, "away");
  EXPECT_TRUE(DiscardJob(context_, given_up, random_)->again_in.has_value());
  EXPECT_FALSE(DiscardJob(context_, given_up, random_)->again_in.has_value());
  EXPECT_EQ(store_.Get(given_up)->state, JobState::kCancelled);
  EXPECT_EQ(store_.Get(given_up)->failure->message, "away");

  const std::string recovered = cancelled("2");
  EXPECT_TRUE(DiscardJob(context_, recovered, random_)->again_in.has_value());
  lines_->no_destination.reset();
  EXPECT_FALSE(DiscardJob(context_, recovered, random_)->again_in.has_value());
  EXPECT_EQ(store_.Get(recovered)->state, JobState::kCancelled);
  EXPECT_FALSE(store_.Get(recovered)->failure.has_value());
  EXPECT_EQ(ReceiptFromJson(store_.Get(recovered)->outcome)->remaining, "");
}

TEST_F(ActsTest, ACancellationThatWentToAnotherQueueIsCarriedOut) {
  store::MemoryDatabase elsewhere;
  store::MemoryQueue another_queue(elsewhere, clock_);
  Engine another(store_, another_queue, recipes_, options_, Random(2));
  std::string job_id;
  bool asked = false;
  lines_->before_chunk = [&](const Chunk&) -> Result<> {
    if (std::exchange(asked, true)) return {};
    EXPECT_TRUE(another.Cancel(job_id, "ada", "a typo").has_value());
    heartbeat_.Beat();
    return Fail(ErrorCode::kCancelled, "stopped");
  };
  job_id = Submit();
  Worker worker(context_);
  KnownJobs known;
  for (int step = 0; step < 10; ++step) static_cast<void>(worker.Step(random_, known));
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kCancelled);
}

TEST_F(ActsTest, AJobJustRequestedIsLetInByItsRequesterAlone) {
  const Job job =
      store_.Create({.id = "job", .task_id = "task", .recipe = "lines", .group = "group"}, false)
          ->job;
  ASSERT_TRUE(Rescue(context_).has_value());
  EXPECT_EQ(store_.Get(job.id)->state, JobState::kPending);
  clock_.Advance(options_.lease + std::chrono::seconds(1));
  ASSERT_TRUE(Rescue(context_).has_value());
  EXPECT_EQ(store_.Get(job.id)->state, JobState::kProcessing);
}

TEST_F(ActsTest, LeftoversOfJobsThatAreOverAreRemovedAndThoseOfOthersAreNot) {
  const std::string over = Submit("1");
  WorkOff();
  lines_->before_chunk = [](const Chunk& chunk) -> Result<> {
    if (chunk.index == 1) return Fail(ErrorCode::kCorrupt, "broken");
    return {};
  };
  const std::string failed = Submit("2");
  WorkOff();
  ASSERT_EQ(store_.Get(failed)->state, JobState::kFailed);
  for (const std::string& job_id : {over, std::string("of-another-store-1")}) {
    ASSERT_TRUE(objects_.CreateStage(Staging::PrefixOf(job_id) + "zombie-1-1", {}).has_value());
  }
  ASSERT_TRUE(LeftoverRemoval(context_).Run().has_value());
  EXPECT_THAT(Staged(over), IsEmpty());
  EXPECT_EQ(Staged(failed).size(), 1U);
  EXPECT_EQ(Staged("of-another-store-1").size(), 1U);
}

TEST_F(ActsTest, DispatchSendsWhatThePhaseNeeds) {
  lines_->chunks = 3;
  const std::string job_id = Submit();
  EXPECT_THAT(Bodies(), ElementsAre("plan " + job_id));
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  const std::string hint = "process " + job_id;
  EXPECT_THAT(Bodies(), ElementsAre(hint, hint, hint));
  const auto dispatched = [&](Job job, int64_t hints_max = 64) {
    EXPECT_TRUE(Dispatch(queue_, job, hints_max).has_value());
    return Bodies();
  };
  Job job = *store_.Get(job_id);
  EXPECT_THAT(dispatched(job), ElementsAre(hint, hint, hint));
  EXPECT_THAT(dispatched(job, 1), ElementsAre(hint));
  job.phase = JobPhase::kFinalizing;
  EXPECT_THAT(dispatched(job), ElementsAre("finish " + job_id));
  job.cancel_requested_at = clock_.Now();
  EXPECT_THAT(dispatched(job), ElementsAre("discard " + job_id));
  job.state = JobState::kPending;
  EXPECT_THAT(dispatched(job), IsEmpty());
}

TEST_F(ActsTest, AJobHasNoMoreHintsInTheQueueThanTheWindow) {
  lines_->chunks = 800;
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  EXPECT_EQ(*queue_.Depth(), 1 + options_.hints_max) << "and the message that asked for the plan";
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_EQ(*queue_.Depth(), 0);
}

}  // namespace
}  // namespace spillway::engine
