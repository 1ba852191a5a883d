#include "deployment/deployment.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "base/scratch_directory.h"
#include "recipe/registry.h"
#include "settings/settings_file.h"
#include "storage/objects.h"

namespace spillway {
namespace {

using Store = std::shared_ptr<storage::ObjectStore>;

class DeploymentTest : public testing::Test {
 protected:
  DeploymentTest() {
    const auto settings = ParseSettings("", scratch_ / "spillway.yaml", {}, registry_);
    EXPECT_TRUE(settings.has_value());
    auto opened = Deployment::Open(*settings, registry_, log_, Sharing::kPrivate);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    deployment_ = *std::move(opened);
  }

  /// Puts an empty directory in the place of the one of that name.
  void Replace(const std::string& name) {
    std::filesystem::rename(scratch_ / name, scratch_ / ("former-" + name));
    std::filesystem::create_directory(scratch_ / name);
  }

  const ScratchDirectory scratch_;
  const recipe::Registry registry_ = recipe::RecipesInProgram();
  Log log_{LogLevel::kError, LogFormat::kText, -1};
  std::unique_ptr<Deployment> deployment_;
};

TEST_F(DeploymentTest, ADestinationThatWasReplacedIsClosedByItsLastUser) {
  const std::string exports = (scratch_ / "exports").string();
  Store user = *deployment_->DestinationStore(exports);
  const std::weak_ptr<storage::ObjectStore> former = user;
  EXPECT_EQ(*deployment_->DestinationStore(exports), user);
  Replace("exports");
  EXPECT_NE(*deployment_->DestinationStore(exports), user);
  EXPECT_FALSE(former.expired());
  user.reset();
  EXPECT_TRUE(former.expired());
}

/// Of this process, and of another.
TEST_F(DeploymentTest, WhatIsBesideAStreamFollowsAReplacedDirectory) {
  for (const std::string& stream : {deployment_->StandardOutput(), std::string("-another")}) {
    const Store before = *deployment_->DestinationStore(stream);
    EXPECT_EQ(*deployment_->DestinationStore(stream), before) << "the sweeper goes by stores";
    EXPECT_TRUE(before->Remove("job/manifest.json").has_value());
    Replace("streamed");
    std::filesystem::create_directories(scratch_ / "streamed/job");
    std::ofstream(scratch_ / "streamed/job/manifest.json") << "{}";
    const Store after = *deployment_->DestinationStore(stream);
    EXPECT_EQ(storage::ReadWhole(*after, "job/manifest.json").value_or("not there"), "{}");
    std::filesystem::remove_all(scratch_ / "former-streamed");
  }
  const Store output = *deployment_->DestinationStore(deployment_->StandardOutput());
  EXPECT_TRUE(storage::PutWhole(*output, "job/outcome.json", "{}").has_value());
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "streamed/job/outcome.json"));
}

}  // namespace
}  // namespace spillway
