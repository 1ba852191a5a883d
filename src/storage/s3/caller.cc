#include "storage/s3/caller.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "aws/partition.h"
#include "base/utf8.h"
#include "storage/s3/failure.h"

namespace spillway::storage::s3 {
namespace {

/// How much of a key a message shows.
constexpr size_t kShownBytes = 300;

bool HasChecksum(const Call& call) {
  return std::ranges::find(call.headers, kChecksumHeader, &http::Header::name) !=
         call.headers.end();
}

/// The action that a policy has to allow for the call:
/// docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html.
std::string ActionOf(const Call& call) {
  const auto asks = [&](std::string_view name) {
    return std::ranges::any_of(call.query, [&](const auto& entry) { return entry.first == name; });
  };
  const auto bears = [&](std::string_view name) {
    return std::ranges::find(call.headers, name, &http::Header::name) != call.headers.end();
  };
  const bool reads = call.method == "GET" || call.method == "HEAD";
  if (!call.key.has_value()) {
    if (asks("delete")) return "s3:DeleteObject";
    return asks("uploads") ? "s3:ListBucketMultipartUploads" : "s3:ListBucket";
  }
  if (asks("tagging")) return "s3:GetObjectTagging";
  // Without the second, S3 hides whether anything is there.
  if (reads) return call.method == "HEAD" ? "s3:GetObject and s3:ListBucket" : "s3:GetObject";
  if (call.method == "DELETE")
    return asks("uploadId") ? "s3:AbortMultipartUpload" : "s3:DeleteObject";
  if (bears("x-amz-copy-source")) return "s3:PutObject, and s3:GetObject on what is copied,";
  return bears("x-amz-tagging") ? "s3:PutObject and s3:PutObjectTagging" : "s3:PutObject";
}

/// The key, or the prefix of a listing.
std::string KeyOf(const Call& call) {
  const auto prefix =
      std::ranges::find(call.query, "prefix", [](const auto& entry) { return entry.first; });
  return call.key.value_or(prefix == call.query.end() ? "" : prefix->second);
}

/// No certificate covers a bucket with a dot in its name.
bool IsInPath(const ClientOptions& options) {
  return options.path_style || options.bucket.contains('.');
}

aws::Service ServiceOf(const ClientOptions& options) {
  std::string endpoint = options.endpoint.empty() ? fmt::format("https://s3.{}.{}", options.region,
                                                                aws::DomainOf(options.region))
                                                  : options.endpoint;
  if (!IsInPath(options)) endpoint.insert(endpoint.find("://") + 3, options.bucket + ".");
  return {.name = "s3",
          .region = options.region,
          .endpoint = std::move(endpoint),
          .read_refusal = ReadRefusal,
          .codes = ErrorCodes()};
}

}  // namespace

Caller::Caller(ClientOptions options, http::HttpTransport& transport,
               aws::CredentialsCache& credentials, Clock& clock, uint64_t seed,
               std::stop_token stop)
    : options_(std::move(options)),
      bucket_in_path_(IsInPath(options_)),
      service_(ServiceOf(options_),
               {.retry_for = options_.retry_for,
                .backoff = options_.backoff,
                .backoff_max = options_.backoff_max},
               transport, credentials, clock, seed, std::move(stop)) {}

std::string Caller::PathOf(const std::optional<std::string>& key) const {
  const std::string root = bucket_in_path_ ? "/" + options_.bucket : "";
  if (key.has_value()) return root + "/" + *key;
  return root.empty() ? "/" : root;
}

std::string Caller::Describe(const Call& call) const {
  const std::string key = KeyOf(call);
  return fmt::format("{} s3://{}/{}{}", call.method, options_.bucket, Utf8Prefix(key, kShownBytes),
                     key.size() > kShownBytes ? "..." : "");
}

Result<http::Response> Caller::Send(const Call& call, std::stop_token stop,
                                    aws::CallRecord* record) {
  const aws::Call signable{.method = call.method,
                           .path = PathOf(call.key),
                           .query = call.query,
                           .headers = call.headers,
                           .body = call.body,
                           .sink = call.sink,
                           .restart = call.restart,
                           .has_checksum = HasChecksum(call),
                           .idle_timeout = call.idle_timeout,
                           .what = Describe(call),
                           .permission = PermissionOf(ActionOf(call)),
                           .answer = call.answer};
  return service_.Send(signable, std::move(stop), record);
}

Result<std::string> Caller::Presign(const std::string& method, const std::string& key,
                                    const aws::Query& query, std::chrono::seconds lifetime) {
  return service_.Presign(method, PathOf(key), query, lifetime);
}

}  // namespace spillway::storage::s3
