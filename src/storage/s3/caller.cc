#include "storage/s3/caller.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <date/date.h>
#include <fmt/format.h>

#include "aws/partition.h"
#include "base/digest.h"
#include "http/percent_encoding.h"
#include "storage/s3/failure.h"

namespace spillway::storage::s3 {
namespace {

/// How much clock skew AWS tolerates.
constexpr std::chrono::minutes kToleratedSkew{15};

/// How often one call may correct the clock or the credentials.
constexpr int kRecoveriesMax = 3;

constexpr std::string_view kNoAnswer = "no answer";

/// How much of a key a message shows.
constexpr size_t kShownBytes = 300;

/// Without a `/` at its end and without the port that its scheme has anyway.
std::string Normalise(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  for (const auto& [scheme, port] : {std::pair("https://", ":443"), std::pair("http://", ":80")}) {
    if (endpoint.starts_with(scheme) && endpoint.ends_with(port))
      endpoint.resize(endpoint.size() - std::string_view(port).size());
  }
  return endpoint;
}

std::string DigestOf(const std::vector<http::Bytes>& pieces) {
  Sha256 hash;
  for (const http::Bytes piece : pieces) hash.Update(piece);
  return ToHex(hash.Finish());
}

bool HasChecksum(const Call& call) {
  return std::ranges::find(call.headers, kChecksumHeader, &http::Header::name) !=
         call.headers.end();
}

bool IsMutation(const Call& call) { return call.method == "PUT" || call.method == "POST"; }

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

}  // namespace

Caller::Caller(ClientOptions options, http::HttpTransport& transport,
               aws::CredentialsCache& credentials, Clock& clock, uint64_t seed,
               std::stop_token stop)
    : options_(std::move(options)),
      transport_(transport),
      credentials_(credentials),
      clock_(clock),
      stop_(std::move(stop)),
      random_(seed) {
  bucket_in_path_ = options_.path_style || options_.bucket.contains('.');
  origin_ = options_.endpoint.empty()
                ? fmt::format("https://s3.{}.{}", options_.region, aws::DomainOf(options_.region))
                : Normalise(options_.endpoint);
  const size_t host = origin_.find("://") + 3;
  if (!bucket_in_path_) origin_.insert(host, options_.bucket + ".");
  host_ = origin_.substr(host);
}

std::string Caller::PathOf(const std::optional<std::string>& key) const {
  const std::string root = bucket_in_path_ ? "/" + options_.bucket : "";
  if (key.has_value()) return root + "/" + *key;
  return root.empty() ? "/" : root;
}

std::string Caller::Describe(const Call& call) const {
  const std::string key = KeyOf(call);
  return fmt::format("{} s3://{}/{}{}", call.method, options_.bucket, key.substr(0, kShownBytes),
                     key.size() > kShownBytes ? "..." : "");
}

http::Request Caller::Sign(const Call& call, const aws::Credentials& credentials,
                           const std::string& payload_digest) {
  aws::SignableRequest signable{.method = call.method,
                                .path = PathOf(call.key),
                                .query = call.query,
                                .headers = call.headers};
  signable.headers.push_back({"x-amz-content-sha256", payload_digest});
  http::Request request{.method = call.method,
                        .headers = signable.headers,
                        .body = call.body,
                        .idle_timeout = call.idle_timeout};
  signable.headers.push_back({"host", host_});  // libcurl writes this one
  for (http::Header& header :
       aws::SignatureHeaders(signable, payload_digest, credentials, {options_.region, "s3"}, Now()))
    request.headers.push_back(std::move(header));
  request.url = origin_ + http::PercentEncode(signable.path, http::Slash::kKeep);
  if (!call.query.empty()) request.url += "?" + aws::CanonicalQuery(call.query);
  return request;
}

/// Sets the clock to the server's time; returns how far it moved.
std::chrono::microseconds Caller::AdoptTimeOf(const http::Response& response) {
  std::istringstream text{std::string(response.Find("date").value_or(""))};
  date::sys_seconds time;
  text >> date::parse("%a, %d %b %Y %T GMT", time);
  if (text.fail()) return {};
  const int64_t skew = (Timestamp(time.time_since_epoch()) - clock_.Now()).count();
  return std::chrono::abs(std::chrono::microseconds(skew - skew_.exchange(skew)));
}

Result<http::Response> Caller::SendOnce(const Call& call, const aws::Credentials& credentials,
                                        const std::string& payload_digest,
                                        std::string& failure_code, std::stop_token stop) {
  if (call.restart) call.restart();
  Result<http::Response> response =
      transport_.Send(Sign(call, credentials, payload_digest), call.sink, std::move(stop));
  if (!response.has_value()) {
    failure_code = kNoAnswer;
    return std::unexpected(std::move(response).error().Within(Describe(call)));
  }
  const bool error_inside = IsMutation(call) && response->ok() && IsErrorDocument(response->body);
  if (response->ok() && !error_inside) {
    if (call.answer.empty() || IsDocument(response->body, call.answer)) return response;
    failure_code = kNoAnswer;
    return FailTransient(ErrorCode::kUnavailable,
                         fmt::format("{}: the answer was cut short: it is no whole {}",
                                     Describe(call), call.answer));
  }
  Failure failure = Classify(*response, Describe(call), ActionOf(call));
  failure_code = failure.code;
  // The answer to a HEAD has no body that could tell of a skewed clock or expired credentials.
  const bool silent = call.method == "HEAD" && (response->status == 400 || response->status == 403);
  if (silent || failure.code == "RequestTimeTooSkewed") {
    const bool moved = AdoptTimeOf(*response) > kToleratedSkew;
    if (silent && moved) {
      failure_code = "RequestTimeTooSkewed";
    } else if (silent && !credentials.session_token.empty()) {
      failure_code = "ExpiredToken";
    }
  }
  if (error_inside && failure.error.code == ErrorCode::kUnavailable) failure.error.retryable = true;
  return std::unexpected(std::move(failure.error));
}

/// Whether the cause of the failure was removed, so that another attempt makes sense at once.
bool Caller::Recover(const std::string& failure_code, const aws::Credentials& credentials) {
  if (failure_code == "RequestTimeTooSkewed") return true;  // SendOnce has adopted the time
  if (failure_code != "ExpiredToken" && failure_code != "InvalidToken") return false;
  credentials_.Refuse(credentials.access_key_id);
  return true;
}

std::chrono::microseconds Caller::PauseBefore(int attempt, const Error& error) {
  const auto full = std::min(options_.backoff_max, options_.backoff * (1 << std::min(attempt, 20)));
  std::lock_guard lock(mutex_);
  const auto jittered = std::chrono::microseconds(static_cast<int64_t>(
      random_.Fraction() * static_cast<double>(std::chrono::microseconds(full).count())));
  return std::max<std::chrono::microseconds>(
      jittered, error.retry_after.value_or(std::chrono::milliseconds(0)));
}

Result<http::Response> Caller::Send(const Call& call, std::stop_token stop, CallRecord* record) {
  std::stop_source either;
  const auto request_stop = [&either] { either.request_stop(); };
  const std::stop_callback by_owner(stop_, request_stop);
  const std::stop_callback by_caller(std::move(stop), request_stop);
  CallRecord own;
  CallRecord& seen = record != nullptr ? *record : own;
  // Over TLS the bytes are safe on their way, and a checksum header is signed.
  const std::string digest = origin_.starts_with("https://") && HasChecksum(call)
                                 ? std::string(aws::kUnsignedPayload)
                                 : DigestOf(call.body);
  const Timestamp deadline = clock_.Now() + options_.retry_for;
  int recoveries = 0;
  while (true) {
    const Result<aws::Credentials> credentials = credentials_.Get(either.get_token());
    std::string failure_code = "no credentials";
    Result<http::Response> response =
        credentials.has_value()
            ? SendOnce(call, *credentials, digest, failure_code, either.get_token())
            : std::unexpected(credentials.error());
    ++seen.attempts;
    if (response.has_value()) {
      seen.failure_code.clear();
      return response;
    }
    seen.unheard |= failure_code == kNoAnswer;
    const bool again = std::exchange(seen.failure_code, failure_code) == failure_code;
    if (credentials.has_value() && !again && recoveries < kRecoveriesMax &&
        Recover(failure_code, *credentials)) {
      ++recoveries;
      continue;
    }
    if (!response.error().retryable) return response;
    const auto pause = PauseBefore(seen.attempts - 1, response.error());
    if (clock_.Now() + pause > deadline) {
      response.error().message += fmt::format("; gave up after {} attempts", seen.attempts);
      return response;
    }
    clock_.SleepFor(pause, either.get_token());
    if (either.stop_requested())
      return Fail(ErrorCode::kCancelled, Describe(call) + ": stopped between two attempts");
  }
}

Result<std::string> Caller::Presign(const std::string& method, const std::string& key,
                                    const aws::Query& query, std::chrono::seconds lifetime) {
  const aws::Credentials credentials = TRY(credentials_.Get(stop_));
  const aws::SignableRequest request{
      .method = method, .path = PathOf(key), .query = query, .headers = {{"host", host_}}};
  return origin_ + http::PercentEncode(request.path, http::Slash::kKeep) + "?" +
         aws::PresignedQuery(request, credentials, {options_.region, "s3"}, Now(), lifetime);
}

}  // namespace spillway::storage::s3
