/// What a process does whose signing key is no longer that of the state.
#include <array>
#include <string>

#include <gmock/gmock.h>

#include "base/signing.h"
#include "engine/acts_fixture.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

using testing::IsEmpty;

using SigningKeyTest = ActsTest;

TEST_F(SigningKeyTest, AProcessWithAFormerKeyLeavesFinishingToOthers) {
  const SigningKey former(std::array<uint8_t, 32>{1});
  const SigningKey present(std::array<uint8_t, 32>{2});
  const std::string id = present.verifying_key().id();
  ASSERT_EQ(store_.RecordSigningKey("", id).value(), id);
  context_.signing_key = &former;
  const std::string job_id = Submit();
  WorkOff();
  const Job left = *store_.Get(job_id);
  EXPECT_EQ(left.state, JobState::kProcessing);
  EXPECT_EQ(left.chunks_succeeded, 3);
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->attempts, left.attempts);
  EXPECT_THAT(Published(job_id), IsEmpty());

  context_.signing_key = &present;
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_EQ(SignerOf(*storage::ReadWhole(objects_, "out/" + job_id + "/manifest.json.sig")), id);
}

TEST_F(SigningKeyTest, AKeyThatChangesWhileAJobIsFinishedSignsNothingMore) {
  const SigningKey former(std::array<uint8_t, 32>{1});
  const SigningKey present(std::array<uint8_t, 32>{2});
  const std::string id = present.verifying_key().id();
  context_.signing_key = &former;
  lines_->before_assembly = [&]() -> Result<> {
    TRY(store_.RecordSigningKey(former.verifying_key().id(), id));
    return {};
  };
  const std::string job_id = Submit();
  WorkOff();
  EXPECT_EQ(store_.SigningKeyId().value(), id);
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kProcessing);
  EXPECT_THAT(Published(job_id), IsEmpty());

  context_.signing_key = &present;
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_EQ(SignerOf(*storage::ReadWhole(objects_, "out/" + job_id + "/manifest.json.sig")), id);
}

}  // namespace
}  // namespace spillway::engine
