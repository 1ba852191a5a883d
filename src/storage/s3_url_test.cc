#include "storage/s3_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spillway::storage {
namespace {

using testing::HasSubstr;

TEST(S3Url, HasABucketAndAPrefix) {
  const auto parsed = [](std::string_view url) {
    const auto result = ParseS3Url(url);
    return result ? result->bucket + "|" + result->prefix : result.error().message;
  };
  EXPECT_EQ(parsed("s3://b-1.x"), "b-1.x|");
  EXPECT_EQ(parsed("s3://bucket/"), "bucket|");
  EXPECT_EQ(parsed("s3://bucket/a b/ü/"), "bucket|a b/ü");
  EXPECT_THAT(parsed("s3://"), HasSubstr("names the bucket ''; use 3 to 63"));
  EXPECT_THAT(parsed("s3://Bucket/x"), HasSubstr("names the bucket 'Bucket'"));
  EXPECT_THAT(parsed("s3://bucket/a//b"), HasSubstr("wrong prefix"));
  EXPECT_THAT(parsed("s3://bucket/../b"), HasSubstr("wrong prefix"));
  EXPECT_THAT(parsed("gs://bucket"), HasSubstr("nor an S3 URL; use a path, or s3://bucket/prefix"));
}

TEST(S3Url, CredentialsInItAreNotRepeated) {
  for (const char* url :
       {"s3://key:hunter2@bucket/x", "s3://hunter2@bucket", "s3://key:hunter2/x@bucket/x",
        "https://key:hunter2@bucket/x", "s3://key:hunter2"}) {
    const auto parsed = ParseS3Url(url);
    ASSERT_FALSE(parsed.has_value()) << url;
    EXPECT_EQ(parsed.error().message.find("hunter2"), std::string::npos) << parsed.error().message;
    EXPECT_THAT(parsed.error().message, HasSubstr("s3://bucket/prefix"));
  }
}

TEST(S3Url, TellsUrlsFromDirectories) {
  EXPECT_TRUE(IsUrl("s3://bucket"));
  EXPECT_TRUE(IsUrl("gs://bucket"));
  EXPECT_FALSE(IsUrl("exports"));
  EXPECT_FALSE(IsUrl("/srv/s3://bucket"));
  EXPECT_FALSE(IsUrl("://x"));
}

}  // namespace
}  // namespace spillway::storage
