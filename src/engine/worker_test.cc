#include "engine/worker.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "engine/acts_fixture.h"
#include "engine/planner.h"
#include "engine/processor.h"

namespace spillway::engine {
namespace {

class WorkerTest : public ActsTest {};

TEST_F(WorkerTest, AWorkerThatStopsPlanningLeavesItToOthers) {
  const std::string job_id = Submit();
  Worker worker(context_);
  worker.StopPlanning();
  KnownJobs known;
  for (int step = 0; step < 5; ++step) ASSERT_TRUE(worker.Step(random_, known).has_value());
  EXPECT_LT(store_.Get(job_id)->phase, JobPhase::kProcessing);
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
}

/// C1: fair shares between jobs, however many chunks each has.
TEST_F(WorkerTest, ASmallJobIsNotKeptWaitingByALargeOne) {
  lines_->chunks = 10'000;
  const std::string large = Submit("1");
  ASSERT_TRUE(PlanJob(context_, large, random_).has_value());
  lines_->chunks = 1;
  const std::string small = Submit("2");
  std::map<std::string, int> chunks;
  lines_->before_chunk = [&](const Chunk& chunk) -> Result<> {
    ++chunks[chunk.job_id];
    clock_.Advance(std::chrono::seconds(1));
    return {};
  };
  Worker worker(context_);
  KnownJobs known;
  for (int step = 0; step < 20 && !IsFinal(store_.Get(small)->state); ++step)
    ASSERT_TRUE(worker.Step(random_, known).has_value());
  EXPECT_EQ(store_.Get(small)->state, JobState::kSucceeded);
  EXPECT_LE(chunks[large], 4);
}

TEST_F(WorkerTest, JobsOfManyChunksTakeTurns) {
  lines_->chunks = 400;
  const std::string first = Submit("1");
  ASSERT_TRUE(PlanJob(context_, first, random_).has_value());
  lines_->chunks = 100;
  const std::string second = Submit("2");
  ASSERT_TRUE(PlanJob(context_, second, random_).has_value());
  std::map<std::string, int> chunks;
  lines_->before_chunk = [&](const Chunk& chunk) -> Result<> {
    ++chunks[chunk.job_id];
    clock_.Advance(std::chrono::milliseconds(200));
    return {};
  };
  Worker worker(context_);
  KnownJobs known;
  while (chunks[second] < 100) ASSERT_TRUE(worker.Step(random_, known).has_value());
  EXPECT_NEAR(chunks[first], 100, 5);
}

/// C2: what was learned on a job of tiny chunks is not applied to the next.
TEST_F(WorkerTest, ABatchIsOfWhatItsOwnJobsChunksTake) {
  lines_->chunks = 2'000;
  const std::string tiny = Submit("1");
  ASSERT_TRUE(PlanJob(context_, tiny, random_).has_value());
  Worker worker(context_);
  KnownJobs known;
  while (known[tiny].batch.size() < 512) ASSERT_TRUE(worker.Step(random_, known).has_value());
  lines_->chunks = 400;
  const std::string slow = Submit("2");
  ASSERT_TRUE(PlanJob(context_, slow, random_).has_value());
  size_t leased_max = 0;
  lines_->before_chunk = [&](const Chunk& chunk) -> Result<> {
    if (chunk.job_id != slow) return {};
    clock_.Advance(std::chrono::milliseconds(200));
    const auto leased = store_.ListChunks(slow, ChunkState::kLeased, -1, 1'000);
    leased_max = std::max(leased_max, leased->size());
    return {};
  };
  for (int step = 0; step < 50; ++step) ASSERT_TRUE(worker.Step(random_, known).has_value());
  EXPECT_EQ(leased_max, 1U);
}

TEST_F(WorkerTest, WhatIsNotBegunSoonIsGivenBackUncounted) {
  lines_->chunks = 100;
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  int64_t done = 0;
  lines_->before_chunk = [&](const Chunk& chunk) -> Result<> {
    EXPECT_EQ(chunk.attempts, 1) << chunk.index;
    if (++done > 3) clock_.Advance(std::chrono::seconds(1));  // They become slow.
    return {};
  };
  HeldChunks held = *ClaimChunks(context_, job_id, 20, lines_->DestinationOf(*store_.Get(job_id)));
  ASSERT_EQ(held.chunks.size(), 20U);
  const Result<Processed> processed =
      ProcessChunks(context_, std::move(held), random_, BatchSize::kTarget);
  EXPECT_EQ(processed->begun, 4U);
  EXPECT_EQ(processed->open, 96);
  EXPECT_EQ(store_.Get(job_id)->chunks_succeeded, 4);
  EXPECT_TRUE(store_.ListChunks(job_id, ChunkState::kLeased, -1, 100)->empty());
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
}

/// C3: an exception fails its chunk, and nothing else.
TEST_F(WorkerTest, AChunkThatThrowsFailsAndNothingElseDoes) {
  lines_->before_chunk = [](const Chunk& chunk) -> Result<> {
    if (chunk.index == 1) throw std::runtime_error("out of range");
    return {};
  };
  const std::string broken = Submit("1");
  WorkOff();
  EXPECT_EQ(store_.Get(broken)->chunks_succeeded, 2);
  EXPECT_EQ(store_.Get(broken)->failure->message,
            "1 of 3 chunks failed; the first: an unexpected exception: out of range");
  lines_->before_chunk = [](const Chunk& chunk) -> Result<> {
    if (chunk.attempts == 1) throw std::bad_alloc();
    return {};
  };
  const std::string whole = Submit("2");
  WorkOff();
  EXPECT_EQ(store_.Get(whole)->state, JobState::kSucceeded) << "memory may be there the next time";
}

TEST_F(WorkerTest, APlanOrAnAssemblyThatThrowsFailsItsJob) {
  lines_->before_plan = []() -> Result<> { throw std::runtime_error("no plan"); };
  const std::string unplanned = Submit("1");
  WorkOff();
  EXPECT_EQ(store_.Get(unplanned)->failure->message, "an unexpected exception: no plan");
  lines_->before_plan = [] { return Result<>(); };
  lines_->before_assembly = []() -> Result<> { throw std::out_of_range("no part"); };
  const std::string unfinished = Submit("2");
  WorkOff();
  EXPECT_EQ(store_.Get(unfinished)->failure->message, "an unexpected exception: no part");
}

/// A job's many hints must not use up the attempts at finishing it.
TEST_F(WorkerTest, FinishingIsTriedAgainAfterItsPauseHoweverManyHintsThereAre) {
  lines_->chunks = 200;
  const std::string job_id = Submit();
  std::vector<Timestamp> attempts;
  lines_->before_assembly = [&]() -> Result<> {
    attempts.push_back(clock_.Now());
    if (attempts.size() < 3) return FailTransient(ErrorCode::kUnavailable, "away");
    return {};
  };
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  ASSERT_EQ(attempts.size(), 3U);
  EXPECT_GE(attempts[1] - attempts[0], options_.backoff_base / 2);
  EXPECT_GE(attempts[2] - attempts[1], options_.backoff_base);
}

TEST_F(WorkerTest, AJobThatLostItsHintsHasAllOfThemAgain) {
  lines_->chunks = 500;
  const std::string job_id = Submit();
  const std::string other = Submit("2");
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  std::vector<std::string> handles;
  const auto deliveries = queue_.Receive(5'000, std::chrono::seconds(1));
  for (const store::Delivery& delivery : *deliveries) {
    if (delivery.body.ends_with(job_id)) handles.push_back(delivery.handle);
  }
  ASSERT_TRUE(queue_.Delete(handles).has_value());
  clock_.Advance(options_.lease * 2);
  ASSERT_GT(*queue_.Depth(), 0) << "the queue is not empty";
  ASSERT_TRUE(Rescue(context_).has_value());
  Worker worker(context_);
  KnownJobs known;
  EXPECT_FALSE(worker.Handle("resume " + job_id, random_, known)->again_in.has_value());
  const auto again = queue_.Receive(5'000, std::chrono::seconds(1));
  const auto hints = std::ranges::count(*again, "process " + job_id, &store::Delivery::body);
  EXPECT_EQ(hints, options_.hints_max);
  ASSERT_TRUE(worker.Handle("process " + job_id, random_, known).has_value());
  EXPECT_FALSE(worker.Handle("resume " + job_id, random_, known)->again_in.has_value());
  EXPECT_TRUE(queue_.Receive(5'000, std::chrono::seconds(1))->empty()) << "it has moved";
}

TEST_F(WorkerTest, AJobThatSomebodyWorksOnIsNotStalled) {
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  clock_.Advance(options_.lease * 2);
  ASSERT_EQ(store_.ClaimChunks(job_id, -1, 1, "other", options_.lease)->chunks.size(), 1U);
  const int64_t waiting = *queue_.Depth();
  Worker worker(context_);
  KnownJobs known;
  ASSERT_TRUE(worker.Handle("resume " + job_id, random_, known).has_value());
  EXPECT_EQ(*queue_.Depth(), waiting) << "it was claimed a moment ago";
  clock_.Advance(options_.lease);
  ASSERT_TRUE(worker.Handle("resume " + job_id, random_, known).has_value());
  EXPECT_GT(*queue_.Depth(), waiting) << "whoever had it is gone";
}

/// A place that cannot be opened is looked for before other threads are kept from claiming.
TEST_F(WorkerTest, AJobWithoutItsDestinationFailsInItsOwnTime) {
  lines_->chunks = 1;
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  lines_->no_destination = Error{.code = ErrorCode::kUnavailable, .message = "the bucket is away"};
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kFailed);
  EXPECT_EQ(store_.Get(job_id)->failure->message,
            "1 of 1 chunks failed; the first: the bucket is away");
}

TEST_F(WorkerTest, AStateThatDoesNotAnswerIsNoFailureOfAChunk) {
  lines_->chunks = 1;
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  store_.Lose(job_id);
  Worker worker(context_);
  KnownJobs known;
  EXPECT_FALSE(worker.Handle("process " + job_id, random_, known).has_value());
  const Chunk chunk = store_.ListChunks(job_id, {}, -1, 1)->at(0);
  EXPECT_EQ(chunk.attempts, 0);
  EXPECT_EQ(chunk.state, ChunkState::kPending);
}

/// The last chunks of a job are shared, though batches have become large.
TEST_F(WorkerTest, AThreadLeavesOthersTheirShareOfTheLastChunks) {
  lines_->chunks = 3'000;
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  Worker worker(context_);
  KnownJobs known;
  size_t taken_max = 0;
  lines_->before_chunk = [&](const Chunk&) -> Result<> {
    const auto leased = store_.ListChunks(job_id, ChunkState::kLeased, -1, 1'000);
    if (store_.Get(job_id)->chunks_open() < 400) taken_max = std::max(taken_max, leased->size());
    return {};
  };
  while (store_.Get(job_id)->phase == JobPhase::kProcessing)
    ASSERT_TRUE(worker.Step(random_, known).has_value());
  EXPECT_LE(taken_max, 100U);
  EXPECT_GT(taken_max, 0U);
}

TEST_F(WorkerTest, TheHintsOfACancelledJobAskOnceForItsDiscarding) {
  lines_->chunks = 100;
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  ASSERT_TRUE(store_.RequestCancel(job_id, "ada", "a typo").has_value());
  Worker worker(context_);
  KnownJobs known;
  for (int hint = 0; hint < 64; ++hint)
    ASSERT_FALSE(worker.Handle("process " + job_id, random_, known)->again_in.has_value());
  const std::vector<std::string> bodies = Bodies();
  EXPECT_EQ(std::ranges::count(bodies, "discard " + job_id), 1);
}

TEST_F(WorkerTest, AMessageWaitsForAPauseAndGoesWithItsJob) {
  lines_->chunks = 1;
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  lines_->before_chunk = [](const Chunk&) -> Result<> {
    return FailTransient(ErrorCode::kUnavailable, "away");
  };
  Worker worker(context_);
  KnownJobs known;
  const std::string body = "process " + job_id;
  EXPECT_EQ(worker.Handle(body, random_, known)->again_in, std::chrono::milliseconds(0));
  const auto paused = worker.Handle(body, random_, known)->again_in;
  ASSERT_TRUE(paused.has_value());
  EXPECT_GT(*paused, options_.backoff_base / 3);
  EXPECT_LE(*paused, options_.backoff_base);
  ASSERT_TRUE(engine_.Cancel(job_id, "ada", "a typo").has_value());
  EXPECT_FALSE(worker.Handle(body, random_, known)->again_in.has_value());
  EXPECT_FALSE(worker.Handle("process unknown-1", random_, known)->again_in.has_value());
  EXPECT_FALSE(worker.Handle("dance unknown-1", random_, known)->again_in.has_value());
}

TEST(BatchSize, GrowsWhileChunksAreShortAndFallsAtOnceWhenTheyAreNot) {
  BatchSize batch;
  EXPECT_EQ(batch.size(), 1U);
  for (size_t expected : {2, 4, 8, 16, 32, 64, 128, 256, 512, 512}) {
    batch.Learn(batch.size(), std::chrono::microseconds(10));
    EXPECT_EQ(batch.size(), expected);
  }
  batch.Learn(512, std::chrono::seconds(512));
  EXPECT_EQ(batch.size(), 1U);
  batch.Learn(0, std::chrono::seconds(1));
  EXPECT_EQ(batch.size(), 1U);
  batch.Learn(1, std::chrono::milliseconds(20));
  EXPECT_EQ(batch.size(), 2U);
  batch.Learn(2, std::chrono::milliseconds(40));
  EXPECT_EQ(batch.size(), 2U);
}

}  // namespace
}  // namespace spillway::engine
