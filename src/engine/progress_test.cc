#include "engine/progress.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "store/memory/memory_store.h"

namespace spillway::engine {
namespace {

class ProgressTest : public testing::Test {
 protected:
  Job Create(const std::string& task) {
    return store_.Create({.id = task, .task_id = task, .recipe = "lines", .group = "group"}, false)
        ->job;
  }
  Progress Of(const Job& job) { return *ProgressOf(store_, job, clock_.Now()); }

  ManualClock clock_;
  store::MemoryDatabase database_;
  store::MemoryStore store_{database_, clock_};
};

TEST_F(ProgressTest, APendingJobHasItsPlaceInLine) {
  const Job first = Create("first");
  const Job second = Create("second");
  EXPECT_EQ(Of(first).queue_position, 1);
  EXPECT_EQ(Of(second).queue_position, 2);
  const Job admitted = **store_.Admit("group", 1);
  EXPECT_FALSE(Of(admitted).queue_position.has_value());
  EXPECT_EQ(Of(second).queue_position, 1);
}

TEST_F(ProgressTest, RateAndTimeLeftAreThoseSinceTheStart) {
  Create("task");
  Job job = **store_.Admit("group", 1);
  EXPECT_FALSE(Of(job).rows_per_second.has_value());
  job.counts = {.planned = 1000, .written = 150, .excluded = 50, .bytes = 4096};
  job.chunks_total = 10;
  job.chunks_succeeded = 2;
  clock_.Advance(std::chrono::seconds(4));
  const Progress progress = Of(job);
  EXPECT_EQ(progress.rows_done, 200);
  EXPECT_EQ(progress.rows_total, 1000);
  EXPECT_EQ(progress.bytes, 4096);
  EXPECT_EQ(progress.chunks_done, 2);
  EXPECT_EQ(progress.chunks_total, 10);
  EXPECT_DOUBLE_EQ(progress.rows_per_second.value(), 50);
  EXPECT_EQ(progress.remaining, std::chrono::seconds(16));

  job.state = JobState::kFailed;
  job.finished_at = clock_.Now();
  clock_.Advance(std::chrono::hours(1));
  EXPECT_DOUBLE_EQ(Of(job).rows_per_second.value(), 50);
  EXPECT_FALSE(Of(job).remaining.has_value());
}

}  // namespace
}  // namespace spillway::engine
