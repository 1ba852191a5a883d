#include "aws/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"

namespace spillway::aws {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

// The examples of "Signature Calculations for the Authorization Header" and "Authenticating
// Requests: Using Query Parameters" in the Amazon S3 API reference.
const Credentials kS3Credentials{
    .access_key_id = "AKIAIOSFODNN7EXAMPLE",
    .secret_access_key = Redacted("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")};
const SigningScope kS3Scope{"us-east-1", "s3"};
const Timestamp kS3Time = std::chrono::sys_days(std::chrono::year(2013) / 5 / 24);

std::string S3Authorization(SignableRequest request, std::string_view body = "") {
  const std::string digest = ToHex(Sha256Of(body));
  request.headers.push_back({"Host", "examplebucket.s3.amazonaws.com"});
  request.headers.push_back({"x-amz-content-sha256", digest});
  return SignatureHeaders(request, digest, kS3Credentials, kS3Scope, kS3Time).back().value;
}

TEST(SigV4OfS3, GetObject) {
  EXPECT_EQ(
      S3Authorization({.method = "GET", .path = "/test.txt", .headers = {{"Range", "bytes=0-9"}}}),
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
      "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4OfS3, PutObject) {
  EXPECT_THAT(
      S3Authorization({.method = "PUT",
                       .path = "/test$file.text",
                       .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                                   {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}},
                      "Welcome to Amazon S3."),
      EndsWith("SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, "
               "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(SigV4OfS3, GetBucketLifecycle) {
  EXPECT_THAT(
      S3Authorization({.method = "GET", .query = {{"lifecycle", ""}}}),
      EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(SigV4OfS3, ListObjects) {
  EXPECT_THAT(
      S3Authorization({.method = "GET", .query = {{"prefix", "J"}, {"max-keys", "2"}}}),
      EndsWith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(SigV4OfS3, PresignedGet) {
  EXPECT_EQ(PresignedQuery({.method = "GET",
                            .path = "/test.txt",
                            .headers = {{"host", "examplebucket.s3.amazonaws.com"}}},
                           kS3Credentials, kS3Scope, kS3Time, std::chrono::hours(24)),
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F"
            "us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&"
            "X-Amz-SignedHeaders=host&X-Amz-Signature="
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

// The general "AWS Signature Version 4 test suite".
struct Vector {
  std::string name;
  SignableRequest request;
  std::string signature;
  std::string body = {};
  std::string session_token = {};

  friend void PrintTo(const Vector& vector, std::ostream* out) { *out << vector.name; }
};

class SigV4Suite : public testing::TestWithParam<Vector> {};

TEST_P(SigV4Suite, SignsAsPublished) {
  const Vector& vector = GetParam();
  SignableRequest request = vector.request;
  request.headers.push_back({"Host", "example.amazonaws.com"});
  const Credentials credentials{
      .access_key_id = "AKIDEXAMPLE",
      .secret_access_key = Redacted("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
      .session_token = Redacted(vector.session_token)};
  const Timestamp time = std::chrono::sys_days(std::chrono::year(2015) / 8 / 30) +
                         std::chrono::hours(12) + std::chrono::minutes(36);
  const auto headers = SignatureHeaders(request, ToHex(Sha256Of(vector.body)), credentials,
                                        {"us-east-1", "service"}, time);
  EXPECT_EQ(headers.front(), (http::Header{"x-amz-date", "20150830T123600Z"}));
  EXPECT_THAT(headers.back().value, EndsWith("Signature=" + vector.signature))
      << CanonicalRequest(request, "");
  if (!vector.session_token.empty()) {
    EXPECT_EQ(headers[1], (http::Header{"x-amz-security-token", vector.session_token}));
    EXPECT_THAT(headers.back().value,
                HasSubstr("SignedHeaders=host;x-amz-date;x-amz-security-token"));
  }
}

const std::string kUnreserved =
    "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

INSTANTIATE_TEST_SUITE_P(
    Vectors, SigV4Suite,
    testing::Values(
        Vector{"get-vanilla",
               {.method = "GET"},
               "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        Vector{"get-utf8",
               {.method = "GET", .path = "/\u1234"},
               "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
        Vector{"get-space",
               {.method = "GET", .path = "/example space/"},
               "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
        Vector{"get-unreserved",
               {.method = "GET", .path = "/" + kUnreserved},
               "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
        Vector{"get-vanilla-query-order-key-case",
               {.method = "GET", .query = {{"Param2", "value2"}, {"Param1", "value1"}}},
               "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        Vector{"get-vanilla-query-order-value",
               {.method = "GET", .query = {{"Param1", "value2"}, {"Param1", "value1"}}},
               "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
        Vector{"get-vanilla-query-order-encoded",
               {.method = "GET",
                .query = {{"Param-3", "Value3"}, {"Param", "Value2"}, {"\u1234", "Value1"}}},
               "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
        Vector{"get-vanilla-query-unreserved",
               {.method = "GET", .query = {{kUnreserved, kUnreserved}}},
               "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
        Vector{"get-vanilla-empty-query-key",
               {.method = "GET", .query = {{"Param1", "value1"}}},
               "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
        Vector{"get-vanilla-utf8-query",
               {.method = "GET", .query = {{"\u1234", "bar"}}},
               "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
        Vector{"get-header-key-duplicate",
               {.method = "GET",
                .headers = {{"My-Header1", "value2"},
                            {"My-Header1", "value2"},
                            {"My-Header1", "value1"}}},
               "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
        Vector{"get-header-value-order",
               {.method = "GET",
                .headers = {{"My-Header1", "value4"},
                            {"My-Header1", "value1"},
                            {"My-Header1", "value3"},
                            {"My-Header1", "value2"}}},
               "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
        Vector{"get-header-value-trim",
               {.method = "GET",
                .headers = {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}},
               "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
        Vector{"post-vanilla",
               {.method = "POST"},
               "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        Vector{"post-vanilla-query",
               {.method = "POST", .query = {{"Param1", "value1"}}},
               "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
        Vector{"post-header-key-sort",
               {.method = "POST", .headers = {{"My-Header1", "value1"}}},
               "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
        Vector{
            "post-x-www-form-urlencoded",
            {.method = "POST", .headers = {{"Content-Type", "application/x-www-form-urlencoded"}}},
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            "Param1=value1"},
        Vector{"get-vanilla-with-session-token",
               {.method = "GET"},
               "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
               "",
               "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}),
    [](const auto& info) {
      std::string name = info.param.name;
      std::ranges::replace(name, '-', '_');
      return name;
    });

}  // namespace
}  // namespace spillway::aws
