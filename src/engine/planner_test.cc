/// Plans as a worker records them.
#include "engine/planner.h"

#include <string_view>

#include <gmock/gmock.h>

#include "engine/acts_fixture.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PlannerTest : public ActsTest {
 protected:
  static std::span<const std::byte> Bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }
};

TEST_F(PlannerTest, ChunksAreRecordedWhileThePlanIsMade) {
  constexpr auto kPage = static_cast<int>(store::kNewChunksMax);
  std::vector<size_t> recorded;
  lines_->plans = [&](recipe::Planning& plan) -> Result<recipe::Planned> {
    for (int i = 0; i < 2 * kPage + 5; ++i) TRY(plan.Add(std::to_string(i), 2));
    recorded = store_.added();
    return recipe::Planned{.source = "{}", .planned = (2 * kPage + 5) * 2};
  };
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  EXPECT_THAT(recorded, ElementsAre(kPage, kPage));
  EXPECT_THAT(store_.added(), ElementsAre(kPage, kPage, 5));
  EXPECT_EQ(store_.Get(job_id)->chunks_total, 2 * kPage + 5);
  const auto last = store_.ListChunks(job_id, std::nullopt, 2 * kPage + 3, 10);
  ASSERT_EQ(last->size(), 1U);
  EXPECT_EQ(last->front().spec, std::to_string(2 * kPage + 4));
}

TEST_F(PlannerTest, LongSpecsAreRecordedInSmallerPages) {
  lines_->plans = [&](recipe::Planning& plan) -> Result<recipe::Planned> {
    for (int i = 0; i < 300; ++i) TRY(plan.Add(std::string(32 << 10, 'x'), 1));
    return recipe::Planned{.source = "{}", .planned = 300};
  };
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  EXPECT_THAT(store_.added(), ElementsAre(128, 128, 44));
}

TEST_F(PlannerTest, NothingOfAPlanThatFailedHalfWayCounts) {
  int attempts = 0;
  lines_->plans = [&](recipe::Planning& plan) -> Result<recipe::Planned> {
    if (++attempts == 1) {
      for (int i = 0; i < 1'500; ++i) TRY(plan.Add("of the first attempt", 2));
      return FailTransient(ErrorCode::kUnavailable, "the source is away");
    }
    TRY(plan.Add("of the second", 2));
    TRY(plan.Add("of the second", 2));
    return recipe::Planned{.source = "{}", .planned = 4};
  };
  const std::string job_id = Submit();
  WorkOff();
  EXPECT_EQ(attempts, 2);
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.chunks_total, 2);
  EXPECT_EQ(job.counts.written, 4);
  const auto chunks = store_.ListChunks(job_id, std::nullopt, -1, 10);
  ASSERT_EQ(chunks->size(), 2U);
  for (const Chunk& chunk : *chunks) EXPECT_EQ(chunk.spec, "of the second");
}

/// Of two that plan at a time only the one that holds the lease is heard.
TEST_F(PlannerTest, APlanUnderALostLeaseIsRefused) {
  int attempts = 0;
  std::string job_id;
  lines_->plans = [&](recipe::Planning& plan) -> Result<recipe::Planned> {
    const int attempt = ++attempts;
    const std::string name = "of attempt " + std::to_string(attempt);
    TRY(plan.Add(name, 2));
    if (attempt == 1) {
      clock_.Advance(options_.lease * 2);
      Heartbeat heartbeat{store_, queue_, clock_, options_};
      Context other = OtherContext(heartbeat, stagings_);
      Random random(2);
      EXPECT_TRUE(PlanJob(other, job_id, random).has_value());
    }
    lines_->reads = TRY(plan.Put("listing", Bytes(name)));
    return recipe::Planned{.source = "{}", .planned = 2};
  };
  job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(store_.ListChunks(job_id, std::nullopt, -1, 10)->front().spec, "of attempt 2");
  EXPECT_THAT(Staged(job_id), ElementsAre(Staging::PrefixOf(job_id) + "plan-1/listing",
                                          Staging::PrefixOf(job_id) + "plan-2/listing"));
}

TEST_F(PlannerTest, WhatAPlanStoresIsReadAndRemovedWithTheStages) {
  lines_->plans = [&](recipe::Planning& plan) -> Result<recipe::Planned> {
    lines_->reads = TRY(plan.Put("listing", Bytes("a listing")));
    TRY(plan.Add("{}", 2));
    return recipe::Planned{.source = "{}", .planned = 2};
  };
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  EXPECT_THAT(Staged(job_id), ElementsAre(lines_->reads));
  EXPECT_EQ(lines_->reads, Staging::PrefixOf(job_id) + "plan-1/listing");
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_EQ(lines_->read, "a listing a listing");
  EXPECT_THAT(Staged(job_id), IsEmpty());
}

TEST_F(PlannerTest, NothingIsReadThatIsNotTheJobs) {
  ASSERT_TRUE(storage::PutWhole(objects_, "secret", "of somebody else").has_value());
  lines_->reads = "secret";
  const std::string job_id = Submit();
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kFailed);
  EXPECT_EQ(lines_->read, "");
}

}  // namespace
}  // namespace spillway::engine
