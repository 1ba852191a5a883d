#include "maintenance/sweeper.h"

#include <gmock/gmock.h>

#include "engine/acts_fixture.h"

namespace spillway::engine {
namespace {

using testing::IsEmpty;

/// C12: a process that worked and died may have been the last to stage anything there.
TEST_F(ActsTest, LeftoversAreFoundWhereThisProcessHasNeverStagedAnything) {
  const std::string job_id = Submit();
  WorkOff();
  ASSERT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  ASSERT_TRUE(objects_.CreateStage(Staging::PrefixOf(job_id) + "zombie-1-1", {}).has_value());

  Stagings none("other", options_.pending_bytes_max);
  Context other = OtherContext(heartbeat_, none);
  ASSERT_TRUE(LeftoverRemoval(other).Run().has_value());
  EXPECT_THAT(Staged(job_id), IsEmpty());
}

TEST_F(ActsTest, APlaceThatCannotBeOpenedIsAskedForOnce) {
  const std::string job_id = Submit();
  WorkOff();
  Stagings none("other", options_.pending_bytes_max);
  Context other = OtherContext(heartbeat_, none);
  lines_->no_destination = Error{.code = ErrorCode::kUnavailable, .message = "no such bucket"};
  LeftoverRemoval removal(other);
  EXPECT_EQ(removal.Run().error().message, "no such bucket");
  EXPECT_TRUE(removal.Run().has_value());
}

}  // namespace
}  // namespace spillway::engine
