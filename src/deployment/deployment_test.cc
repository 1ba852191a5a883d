#include "deployment/deployment.h"

#include <filesystem>
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

}  // namespace
}  // namespace spillway
