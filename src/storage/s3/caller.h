#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "aws/credentials.h"
#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/random.h"
#include "http/transport.h"
#include "storage/s3/options.h"

namespace spillway::storage::s3 {

/// A call's checksum of its body: base64 of its CRC-32C.
inline constexpr char kChecksumHeader[] = "x-amz-checksum-crc32c";

/// One request to a bucket, before it is signed.
struct Call {
  std::string method;
  std::optional<std::string> key = {};  ///< Nothing for the bucket itself.
  aws::Query query = {};
  std::vector<http::Header> headers = {};
  std::vector<http::Bytes> body = {};
  /// Takes the body of a success; `restart` is called before each attempt.
  http::BodySink sink = nullptr;
  std::function<void()> restart = nullptr;
  /// The element that the body of a success is. S3 sends the status of Copy and Complete before it
  /// has done anything, so an answer without it was cut short and says nothing. Nothing: any body.
  std::string_view answer = {};
  /// As http::Request's.
  std::chrono::seconds idle_timeout{0};
};

/// How a call ended, beside its answer.
struct CallRecord {
  int attempts = 0;
  std::string failure_code = {};  ///< Of the last attempt, empty after success.
  bool unheard = false;           ///< An attempt had no answer: it may have been carried out.
};

/// Signs and sends calls, signing each attempt again, until one succeeds, fails permanently, or the
/// time for retries is over. Corrects a wrong clock by the server's Date, and fetches other
/// credentials when they are refused as expired. Thread-safe.
class Caller {
 public:
  /// All but the options must outlive the caller. `stop` ends every call within a second.
  Caller(ClientOptions options, http::HttpTransport& transport, aws::CredentialsCache& credentials,
         Clock& clock, uint64_t seed, std::stop_token stop);

  /// The successful answer; kCancelled within a second of `stop`.
  Result<http::Response> Send(const Call& call, std::stop_token stop, CallRecord* record = nullptr);

  /// A link to `key` that needs no credentials until `lifetime` is over.
  Result<std::string> Presign(const std::string& method, const std::string& key,
                              const aws::Query& query, std::chrono::seconds lifetime);

  const ClientOptions& options() const { return options_; }

  /// The time by the server's clock, as far as it is known.
  Timestamp Now() { return clock_.Now() + std::chrono::microseconds(skew_.load()); }

 private:
  std::string PathOf(const std::optional<std::string>& key) const;
  http::Request Sign(const Call& call, const aws::Credentials& credentials,
                     const std::string& payload_digest);
  Result<http::Response> SendOnce(const Call& call, const aws::Credentials& credentials,
                                  const std::string& payload_digest, std::string& failure_code,
                                  std::stop_token stop);
  bool Recover(const std::string& failure_code, const aws::Credentials& credentials);
  std::chrono::microseconds AdoptTimeOf(const http::Response& response);
  std::chrono::microseconds PauseBefore(int attempt, const Error& error);
  std::string Describe(const Call& call) const;

  const ClientOptions options_;
  std::string origin_;  // "https://host"
  std::string host_;
  bool bucket_in_path_ = false;
  http::HttpTransport& transport_;
  aws::CredentialsCache& credentials_;
  Clock& clock_;
  const std::stop_token stop_;
  std::atomic<int64_t> skew_ = 0;  // microseconds
  std::mutex mutex_;
  Random random_;  // guarded by mutex_
};

}  // namespace spillway::storage::s3
