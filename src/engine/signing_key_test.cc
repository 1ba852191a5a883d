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

TEST_F(SigningKeyTest, JobsThatOthersFinishHideNoStalledJob) {
  const SigningKey former(std::array<uint8_t, 32>{1});
  const SigningKey present(std::array<uint8_t, 32>{2});
  ASSERT_TRUE(store_.RecordSigningKey("", present.verifying_key().id()).has_value());
  context_.signing_key = &former;
  options_.parallel_max = 1'000;
  lines_->chunks = 1;
  for (int i = 0; i < 101; ++i) {
    const std::string left = Submit(std::to_string(i));
    RunUntil(left, JobPhase::kProcessing);
    Worker worker(context_);
    KnownJobs known;
    while (store_.Get(left)->chunks_open() > 0) ASSERT_TRUE(*worker.Step(random_, known));
  }
  clock_.Advance(std::chrono::seconds(1));
  const std::string stalled = Submit("stalled");
  clock_.Advance(options_.lease * 2);
  std::vector<std::string> handles;
  const auto deliveries = queue_.Receive(5'000, std::chrono::seconds(1));
  for (const store::Delivery& delivery : *deliveries) handles.push_back(delivery.handle);
  ASSERT_TRUE(queue_.Delete(handles).has_value());  // All messages are lost.

  EXPECT_EQ(*Rescue(context_), 1);
  EXPECT_THAT(Bodies(), testing::ElementsAre("plan " + stalled));
  context_.signing_key = &present;
  EXPECT_EQ(*Rescue(context_), 102);
}

}  // namespace
}  // namespace spillway::engine
