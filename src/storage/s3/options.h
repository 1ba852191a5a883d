#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace spillway::storage::s3 {

/// Of an object.
inline constexpr size_t kMaxTags = 10;

/// How the server encrypts what it keeps.
struct Encryption {
  enum class Kind { kBucketDefault, kS3, kKms };
  Kind kind = Kind::kBucketDefault;
  std::string kms_key = {};  ///< Empty for the account's own key of S3.
  bool bucket_key = false;
};

/// Where a bucket is and how it is spoken to.
struct ClientOptions {
  std::string bucket;
  std::string region = "us-east-1";
  /// "https://host[:port]"; empty for AWS.
  std::string endpoint = {};
  /// Bucket in the path, not in the host name. Always so for buckets with a dot, which no
  /// certificate covers.
  bool path_style = false;
  Encryption encryption = {};
  /// A call is tried again for so long, with pauses from `backoff` doubling up to `backoff_max`, of
  /// which a random part is taken.
  std::chrono::milliseconds retry_for{60'000};
  /// How long the server may be silent while it copies a part or joins an upload: some write the
  /// whole object before they answer.
  std::chrono::seconds copy_timeout{900};
  std::chrono::milliseconds backoff{100};
  std::chrono::milliseconds backoff_max{20'000};
};

}  // namespace spillway::storage::s3
