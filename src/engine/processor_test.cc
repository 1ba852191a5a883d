/// Chunks as a worker does them.
#include <gmock/gmock.h>

#include "engine/acts_fixture.h"
#include "engine/progress.h"

namespace spillway::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

class ProcessorTest : public ActsTest {
 protected:
  ProcessorTest() { lines_->chunks = 1; }

  Chunk ChunkOf(const std::string& job_id) {
    return store_.ListChunks(job_id, std::nullopt, -1, 1)->at(0);
  }

  /// Has a worker take one message.
  void Step() {
    Worker worker(context_);
    KnownJobs known;
    EXPECT_TRUE(worker.Step(random_, known).has_value());
  }
};

TEST_F(ProcessorTest, APostponedChunkComesBackAndCostsNoAttempt) {
  int asked = 0;
  const Timestamp until = clock_.Now() + seconds(7);
  lines_->postpones = [&](const Chunk&) -> std::optional<recipe::Postponed> {
    if (++asked > 5) return std::nullopt;
    return recipe::Postponed{.until = std::max(until, clock_.Now() + seconds(3)),
                             .why = "the other job is not done"};
  };
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  Step();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(ChunkOf(job_id).state, ChunkState::kPending);
  EXPECT_EQ(ChunkOf(job_id).attempts, 0);
  EXPECT_EQ(ChunkOf(job_id).not_before, until);
  Step();
  EXPECT_EQ(asked, 1) << "it is too early";
  WorkOff();
  EXPECT_EQ(asked, 6);
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_EQ(ChunkOf(job_id).attempts, 1);
  EXPECT_FALSE(ChunkOf(job_id).failure.has_value());
}

TEST_F(ProcessorTest, APauseThatIsOverAlreadyIsNoReasonToAskAtOnce) {
  lines_->postpones = [&](const Chunk&) { return recipe::Postponed{.until = Timestamp()}; };
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  Step();
  EXPECT_EQ(ChunkOf(job_id).not_before, clock_.Now() + options_.idle_max);
}

TEST_F(ProcessorTest, TheNextAttemptGoesOnFromThePosition) {
  std::vector<std::string> positions;
  lines_->reports = [&](const Chunk& chunk, recipe::Progress& progress) -> Result<> {
    positions.push_back(chunk.progress.position);
    if (positions.size() == 1) TRY(progress.Report({.rows = 1, .bytes = 8, .position = "row 1"}));
    TRY(progress.Report({.rows = 2, .bytes = 16}));
    if (positions.size() == 2) return FailTransient(ErrorCode::kUnavailable, "away");
    return {};
  };
  lines_->postpones = [&](const Chunk&) -> std::optional<recipe::Postponed> {
    if (positions.size() > 1) return std::nullopt;
    return recipe::Postponed{.until = clock_.Now() + seconds(1)};
  };
  const std::string job_id = Submit();
  WorkOff();
  EXPECT_THAT(positions, ElementsAre("", "row 1", "row 1"));
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_EQ(ChunkOf(job_id).progress.position, "");
}

TEST_F(ProcessorTest, AChunkThatGetsFurtherIsNotWornOut) {
  int64_t row = 0;
  const int64_t fails_until = options_.attempts_max * 3;
  lines_->reports = [&](const Chunk&, recipe::Progress& progress) -> Result<> {
    if (row == fails_until) return {};
    TRY(progress.Report({.rows = 1, .position = "row " + std::to_string(++row)}));
    return FailTransient(ErrorCode::kUnavailable, "away");
  };
  const std::string job_id = Submit();
  WorkOff();
  EXPECT_EQ(row, fails_until);
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
}

TEST_F(ProcessorTest, AChunkThatFailsAtOnePlaceIsGivenUp) {
  int64_t begun = 0;
  lines_->reports = [&](const Chunk&, recipe::Progress& progress) -> Result<> {
    ++begun;
    TRY(progress.Report({.rows = 1, .position = "row 1"}));
    return FailTransient(ErrorCode::kUnavailable, "away");
  };
  const std::string job_id = Submit();
  WorkOff();
  EXPECT_EQ(begun, options_.attempts_max);
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kFailed);
}

/// The attempt ends with its process, so nobody settles it.
TEST_F(ProcessorTest, ThePositionOfAWorkerThatDiedIsTheLastThatWasRenewed) {
  std::string position;
  lines_->reports = [&](const Chunk& chunk, recipe::Progress& progress) -> Result<> {
    position = chunk.progress.position;
    if (chunk.attempts > 1) return {};
    TRY(progress.Report({.rows = 1, .bytes = 8, .position = "row 1"}));
    clock_.Advance(seconds(1));
    heartbeat_.Beat();
    TRY(progress.Report({.rows = 2, .bytes = 16, .position = "row 2"}));
    store_.SetAway(true);
    return {};
  };
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  {
    Worker worker(context_);
    KnownJobs known;
    EXPECT_FALSE(worker.Step(random_, known).has_value());
  }
  store_.SetAway(false);
  clock_.Advance(options_.lease * 2);
  WorkOff();
  EXPECT_EQ(position, "row 1");
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
}

TEST_F(ProcessorTest, AChunkThatIsUnderWayShowsHowFarItIs) {
  lines_->rows = 10;
  lines_->reports = [&](const Chunk& chunk, recipe::Progress& progress) -> Result<> {
    TRY(progress.Report({.rows = 4, .bytes = 32}));
    clock_.Advance(milliseconds(1'500));
    heartbeat_.Beat();
    const Job job = *store_.Get(chunk.job_id);
    const engine::Progress shown = *ProgressOf(store_, job, clock_.Now());
    EXPECT_EQ(shown.rows_done, 4);
    EXPECT_EQ(shown.rows_total, 10);
    EXPECT_EQ(shown.bytes, 32);
    EXPECT_EQ(shown.chunks_done, 0);
    EXPECT_TRUE(shown.remaining.has_value());
    return {};
  };
  const std::string job_id = Submit();
  WorkOff();
  const engine::Progress shown = *ProgressOf(store_, *store_.Get(job_id), clock_.Now());
  EXPECT_EQ(shown.rows_done, 10);
  EXPECT_EQ(shown.bytes, 80);
}

/// It would make the renewal of every lease of the process fail.
TEST_F(ProcessorTest, ProgressThatNoStoreCanKeepIsAnError) {
  const std::vector<ChunkProgress> refused = {
      {.position = std::string(kChunkFieldBytesMax + 1, 'x')}, {.rows = -1}, {.bytes = -1}};
  for (size_t i = 0; i < refused.size(); ++i) {
    lines_->reports = [&](const Chunk&, recipe::Progress& progress) {
      return progress.Report(refused[i]);
    };
    const std::string job_id = Submit(std::to_string(i));
    WorkOff();
    EXPECT_EQ(store_.Get(job_id)->state, JobState::kFailed);
    EXPECT_EQ(ChunkOf(job_id).failure->code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace spillway::engine
