#include <gmock/gmock.h>

#include "engine/acts_fixture.h"
#include "staging/outcome.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ActsTest, StagedBytesThatWereDeletedAreSaidToBeLost) {
  const std::string job_id = Submit();
  lines_->before_assembly = [&]() -> Result<> {
    Receipt removed;
    return RemoveStaged(objects_, job_id, removed);
  };
  WorkOff();
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.failure->code, ErrorCode::kCorrupt);
  EXPECT_EQ(job.failure->message,
            "3 of 3 chunks failed; the first: staged bytes of lines.txt were deleted before they "
            "were published; redrive the job, which exports them again");
}

/// C11: with all chunks succeeded, a redrive had nothing to repeat and failed for ever.
TEST_F(ActsTest, ARedriveRepeatsTheChunksWhoseStagedBytesAreLostAndNoOthers) {
  lines_->file_a_chunk = true;
  const std::string job_id = Submit();
  bool lost = false;
  lines_->before_assembly = [&]() -> Result<> {
    if (std::exchange(lost, true)) return {};
    const auto chunks = store_.ListChunks(job_id, std::nullopt, -1, 10);
    const auto result = ChunkResultFromJson(chunks->at(1).result);
    EXPECT_TRUE(objects_.Remove(result->parts.at(0).ranges.at(0).key).has_value());
    return {};
  };
  WorkOff();
  const Job failed = *store_.Get(job_id);
  EXPECT_EQ(failed.state, JobState::kFailed);
  EXPECT_EQ(failed.failure->code, ErrorCode::kCorrupt);
  EXPECT_THAT(failed.failure->message, HasSubstr("1 of 3 chunks failed"));
  EXPECT_EQ(failed.counts.written, 4);
  const Chunk dead = store_.ListChunks(job_id, ChunkState::kDead, -1, 10)->at(0);
  EXPECT_EQ(dead.index, 1);
  EXPECT_THAT(dead.failure->message, HasSubstr("staged bytes of 1.txt were deleted"));

  std::vector<int64_t> repeated;
  lines_->before_chunk = [&](const Chunk& chunk) {
    repeated.push_back(chunk.index);
    return Result<>();
  };
  ASSERT_TRUE(engine_.Redrive(job_id, "ada").has_value());
  WorkOff();
  EXPECT_THAT(repeated, ElementsAre(1));
  const Job succeeded = *store_.Get(job_id);
  EXPECT_EQ(succeeded.state, JobState::kSucceeded);
  EXPECT_EQ(succeeded.counts, (Counts{.planned = 6, .written = 6, .bytes = 48}));
  EXPECT_EQ(*storage::ReadWhole(objects_, "out/" + job_id + "/1.txt"), "chunk 1\nchunk 1\n");
}

}  // namespace
}  // namespace spillway::engine
