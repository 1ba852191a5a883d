#include "engine/worker.h"

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
  BatchSizes batches;
  for (int step = 0; step < 5; ++step) ASSERT_TRUE(worker.Step(random_, batches).has_value());
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
  BatchSizes batches;
  for (int step = 0; step < 20 && !IsFinal(store_.Get(small)->state); ++step)
    ASSERT_TRUE(worker.Step(random_, batches).has_value());
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
  BatchSizes batches;
  while (chunks[second] < 100) ASSERT_TRUE(worker.Step(random_, batches).has_value());
  EXPECT_NEAR(chunks[first], 100, 5);
}

/// C2: what was learned on a job of tiny chunks is not applied to the next.
TEST_F(WorkerTest, ABatchIsOfWhatItsOwnJobsChunksTake) {
  lines_->chunks = 2'000;
  const std::string tiny = Submit("1");
  ASSERT_TRUE(PlanJob(context_, tiny, random_).has_value());
  Worker worker(context_);
  BatchSizes batches;
  while (batches[tiny].size() < 512) ASSERT_TRUE(worker.Step(random_, batches).has_value());
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
  for (int step = 0; step < 50; ++step) ASSERT_TRUE(worker.Step(random_, batches).has_value());
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
  HeldChunks held = *ClaimChunks(context_, job_id, 20);
  ASSERT_EQ(held.chunks.size(), 20U);
  const Result<Processed> processed =
      ProcessChunks(context_, std::move(held), random_, BatchSize::kTarget);
  EXPECT_EQ(processed->begun, 4U);
  EXPECT_FALSE(processed->none_open);
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

TEST_F(WorkerTest, AMessageWaitsForAPauseAndGoesWithItsJob) {
  lines_->chunks = 1;
  const std::string job_id = Submit();
  ASSERT_TRUE(PlanJob(context_, job_id, random_).has_value());
  lines_->before_chunk = [](const Chunk&) -> Result<> {
    return FailTransient(ErrorCode::kUnavailable, "away");
  };
  Worker worker(context_);
  BatchSizes batches;
  const std::string body = "process " + job_id;
  EXPECT_EQ(worker.Handle(body, random_, batches)->again_in, std::chrono::milliseconds(0));
  const auto paused = worker.Handle(body, random_, batches)->again_in;
  ASSERT_TRUE(paused.has_value());
  EXPECT_GT(*paused, options_.backoff_base / 3);
  EXPECT_LE(*paused, options_.backoff_base);
  ASSERT_TRUE(engine_.Cancel(job_id, "ada", "a typo").has_value());
  EXPECT_FALSE(worker.Handle(body, random_, batches)->again_in.has_value());
  EXPECT_FALSE(worker.Handle("process unknown-1", random_, batches)->again_in.has_value());
  EXPECT_FALSE(worker.Handle("dance unknown-1", random_, batches)->again_in.has_value());
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
