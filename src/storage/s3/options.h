#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace spillway::storage::s3 {

/// The most tags that an object may have.
inline constexpr size_t kMaxTags = 10;

/// How the server encrypts what it keeps.
struct Encryption {
  enum class Kind { kBucketDefault, kS3, kKms };
  Kind kind = Kind::kBucketDefault;
  std::string kms_key = {};  ///< Empty for the account's own key of S3.
  bool bucket_key = false;
};

/// Where a bucket is and how to reach it.
struct ClientOptions {
  std::string bucket;
  std::string region = "us-east-1";
  /// "https://host[:port]"; empty for AWS.
  std::string endpoint = {};
  /// Put the bucket into the path, not into the host name. Always so for buckets with a dot, which
  /// no certificate covers.
  bool path_style = false;
  Encryption encryption = {};
  /// How long a call is retried. The pauses double from `backoff` up to `backoff_max`, and each is
  /// a random part of that.
  std::chrono::milliseconds retry_for{60'000};
  /// How long the server may be silent while it copies a part or joins an upload: some write the
  /// whole object before they answer.
  std::chrono::seconds copy_timeout{900};
  std::chrono::milliseconds backoff{100};
  std::chrono::milliseconds backoff_max{20'000};
};

}  // namespace spillway::storage::s3
