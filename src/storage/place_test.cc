#include "storage/place.h"

#include <gtest/gtest.h>

#include "base/scratch_directory.h"

namespace spillway::storage {
namespace {

TEST(Place, LiesInItselfAndInWhatIsAboveIt) {
  for (const auto& [inner, outer] :
       {std::pair("/a/b", "/a/b"), std::pair("/a/b/", "/a/b"), std::pair("/a/b", "/a/b/"),
        std::pair("/a/b/c", "/a/b"), std::pair("/a/x/../b/c", "/a/b"), std::pair("/a", "/"),
        std::pair("s3://bucket/a", "s3://bucket/"),
        std::pair("s3://bucket/a/b", "s3://bucket/a/")}) {
    EXPECT_TRUE(LiesIn(inner, outer)) << inner << " " << outer;
  }
  for (const auto& [inner, outer] :
       {std::pair("/a", "/a/b"), std::pair("/a/bc", "/a/b"), std::pair("/b", "/a"),
        std::pair("s3://bucket/ab", "s3://bucket/a"), std::pair("s3://other/a", "s3://bucket/a"),
        std::pair("s3://bucket/a", "/")}) {
    EXPECT_FALSE(LiesIn(inner, outer)) << inner << " " << outer;
  }
}

TEST(Place, LinksAreFollowed) {
  const ScratchDirectory scratch;
  const std::filesystem::path root = scratch.path();
  std::filesystem::create_directories(root / "lake" / "below");
  std::filesystem::create_directory_symlink(root / "lake", root / "link");
  std::filesystem::create_directory_symlink("lake/below", root / "deep");
  EXPECT_TRUE(LiesIn(root / "link" / "not" / "there", root / "lake"));
  EXPECT_TRUE(LiesIn(root / "lake" / "below", root / "link"));
  EXPECT_TRUE(LiesIn(root / "deep", root / "lake"));
  EXPECT_FALSE(LiesIn(root / "lake", root / "deep"));
}

TEST(Place, PrivateFoldersAreToldByTheirName) {
  EXPECT_TRUE(LiesInPrivateFolder("/exports/.spillway/jobs"));
  EXPECT_TRUE(LiesInPrivateFolder("/exports/.spillway"));
  EXPECT_TRUE(LiesInPrivateFolder("s3://bucket/.spillway/x"));
  EXPECT_FALSE(LiesInPrivateFolder("/exports/.spillway-exports"));
}

}  // namespace
}  // namespace spillway::storage
