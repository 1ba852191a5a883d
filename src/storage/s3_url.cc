#include "storage/s3_url.h"

#include <algorithm>

#include "storage/key.h"

namespace spillway::storage {
namespace {

constexpr std::string_view kScheme = "s3://";

/// docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, as far as characters go.
bool IsBucketName(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return name.size() >= 3 && name.size() <= 63 && plain(name.front()) && plain(name.back()) &&
         std::ranges::all_of(name, [&](char c) { return plain(c) || c == '-' || c == '.'; });
}

}  // namespace

bool IsUrl(std::string_view place) {
  const size_t scheme = place.find("://");
  return scheme != std::string_view::npos && scheme > 0 && place.find('/') > scheme;
}

Result<S3Url> ParseS3Url(std::string_view url) {
  if (!url.starts_with(kScheme)) {
    return Fail(ErrorCode::kInvalidArgument,
                "is neither a directory nor an S3 URL; use a path, or s3://bucket/prefix");
  }
  url.remove_prefix(kScheme.size());
  const size_t slash = url.find('/');
  S3Url parsed{.bucket = std::string(url.substr(0, slash)), .prefix = {}};
  // The address of a server may have a user and a password; they are not to be shown.
  if (parsed.bucket.find_first_of("@:") != std::string::npos) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "has a : or an @ in the bucket's name; use s3://bucket/prefix, and give credentials "
        "as AWS's tools take them");
  }
  if (!IsBucketName(parsed.bucket)) {
    return Fail(ErrorCode::kInvalidArgument,
                "names the bucket '" + parsed.bucket +
                    "'; use 3 to 63 lower-case letters, digits, - and ., a letter or digit first");
  }
  if (slash != std::string_view::npos) parsed.prefix = url.substr(slash + 1);
  while (parsed.prefix.ends_with('/')) parsed.prefix.pop_back();
  if (parsed.prefix.empty()) return parsed;
  if (const Result<> valid = ValidateKey(parsed.prefix); !valid.has_value()) {
    return Fail(ErrorCode::kInvalidArgument, "has a wrong prefix: " + valid.error().message);
  }
  return parsed;
}

}  // namespace spillway::storage
