#include "settings/s3_settings.h"

#include <algorithm>
#include <chrono>
#include <string>

#include <fmt/format.h>

#include "config/checks.h"
#include "storage/s3_url.h"

namespace spillway {
namespace {

using config::Complaint;
using config::Complaints;
using config::Section;
using std::chrono::hours;
using std::chrono::seconds;

Complaint CheckEndpoint(const std::string& endpoint) {
  const size_t host = endpoint.starts_with("https://")  ? 8
                      : endpoint.starts_with("http://") ? 7
                                                        : 0;
  const size_t end = std::min(endpoint.find('/', host), endpoint.size());
  const bool bare = end == endpoint.size() || end + 1 == endpoint.size();
  if (host > 0 && end > host && bare && endpoint.find_first_of("@?# ") == std::string::npos)
    return std::nullopt;
  return "is no address of a server; use https://host or https://host:port";
}

void CheckS3(const S3Settings& settings, Complaints& complaints) {
  const bool kms = settings.encryption == storage::s3::Encryption::Kind::kKms;
  if (settings.kms_key && !kms)
    complaints.About("kms_key", "is used by encryption kms only; set that, or remove the key",
                     {"encryption"});
  if (settings.bucket_key && !kms)
    complaints.About("bucket_key", "is used by encryption kms only; set that, or remove it",
                     {"encryption"});
  if (settings.tags.size() > storage::s3::kMaxTags) {
    complaints.About("tags", fmt::format("has {} tags; S3 takes {} at most", settings.tags.size(),
                                         storage::s3::kMaxTags));
  }
}

}  // namespace

Section<S3Settings> DeclareS3() {
  using Kind = storage::s3::Encryption::Kind;
  Section<S3Settings> section;
  section.Field("endpoint", &S3Settings::endpoint)
      .Help("The server, as https://host:port; unless set, AWS in the region.")
      .Check(CheckEndpoint)
      .OneLine()
      .Variable("AWS_ENDPOINT_URL_S3")
      .Variable("AWS_ENDPOINT_URL");
  section.Field("region", &S3Settings::region)
      .Help("The region of the buckets.")
      .Check(config::CheckNotEmpty)
      .OneLine()
      .Variable("AWS_REGION")
      .Variable("AWS_DEFAULT_REGION");
  section.Field("path_style", &S3Settings::path_style)
      .Help(
          "Name the bucket in the path, not in the host; unless set, so where an endpoint is "
          "given.");
  section.Field("ca_file", &S3Settings::ca_file)
      .Help("A PEM file of the certificates to trust; unless set, the system's.")
      .Variable("AWS_CA_BUNDLE");
  section.Field("encryption", &S3Settings::encryption)
      .Help(
          "How the server encrypts what it keeps: as the bucket says, with S3's own keys, or with "
          "a key of KMS.")
      .OneOf({{"bucket", Kind::kBucketDefault}, {"aes256", Kind::kS3}, {"kms", Kind::kKms}});
  section.Field("kms_key", &S3Settings::kms_key)
      .Help("The KMS key's id or ARN; unless set, the account's own key of S3.")
      .Check(config::CheckNotEmpty)
      .OneLine();
  section.Field("bucket_key", &S3Settings::bucket_key)
      .Help("Let S3 ask KMS once for many objects.");
  section.Field("tags", &S3Settings::tags)
      .Help("Tags of published objects, for cost reports and lifecycle rules.");
  section.Field("part_bytes", &S3Settings::part_bytes)
      .Help("The first parts of an upload, and what an append has at least; held by each thread.")
      .Between({5 << 20}, {1 << 30});
  section.Field("parts_in_flight", &S3Settings::parts_in_flight)
      .Help("How many parts of an object are sent or copied at the same time.")
      .Between(1, 64);
  section.Field("retry_for", &S3Settings::retry_for)
      .Help("How long a call that fails for passing reasons is tried again.")
      .Between(seconds(0), hours(1));
  section.Field("copy_timeout", &S3Settings::copy_timeout)
      .Help(
          "How long the server may be silent while it copies a part or joins the parts of a file.")
      .Between(seconds(60), hours(24));
  section.Rule(CheckS3);
  return section;
}

}  // namespace spillway
