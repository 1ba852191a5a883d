#pragma once

#include <atomic>
#include <chrono>
#include <expected>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "aws/credentials.h"
#include "aws/refusal.h"
#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/random.h"
#include "http/transport.h"

namespace spillway::aws {

/// One request to a service, before it is signed.
struct Call {
  std::string method;
  /// Not encoded. To other services than S3 only paths that encoding does not change (sigv4.h).
  std::string path = "/";
  Query query = {};
  std::vector<http::Header> headers = {};
  std::vector<http::Bytes> body = {};
  /// Takes the body of a success; `restart` is called before each attempt.
  http::BodySink sink = nullptr;
  std::function<void()> restart = nullptr;
  /// A header holds a checksum of the body, so that over TLS the body need not be signed. Only S3
  /// takes it so.
  bool has_checksum = false;
  /// As http::Request's.
  std::chrono::seconds idle_timeout{0};
  /// For messages: "PUT s3://bucket/key".
  std::string what = {};
  /// What has to be allowed, and where: "s3:PutObject in the bucket's or the role's policy".
  std::string permission = {};
  /// What a success holds, for Service::read_refusal. Empty: anything.
  std::string_view answer = {};
};

/// How a call ended, beside its answer.
struct CallRecord {
  int attempts = 0;
  int throttled = 0;              ///< Of the attempts.
  std::string failure_code = {};  ///< Of the last attempt, empty after success.
  /// An attempt had no answer, or one that does not tell: it may have been carried out. A call that
  /// is not idempotent may then have been carried out although a later attempt was refused.
  bool unknown = false;
};

/// Where a service is, and how it refuses.
struct Service {
  std::string name;  ///< As it is signed: "s3", "dynamodb".
  std::string region;
  std::string endpoint;  ///< "https://host[:port]"
  /// Nothing for a success; a Refusal without a code for an error whose body says nothing.
  std::optional<Refusal> (*read_refusal)(const Call& call, const http::Response& response);
  /// What its codes mean. Must outlive the caller.
  std::span<const CodeMeaning> codes;
};

/// How long a call is retried. The pauses double from `backoff` up to `backoff_max`, and each is a
/// random part of that.
struct Patience {
  std::chrono::milliseconds retry_for;
  std::chrono::milliseconds backoff;
  std::chrono::milliseconds backoff_max;
};

/// Signs and sends calls to one service, signing each attempt again, until one succeeds, fails
/// permanently, or the time for retries is over. Corrects a wrong clock by the server's Date, and
/// fetches other credentials when they are refused as expired. Thread-safe.
class ServiceCaller {
 public:
  /// What is given by reference must outlive the caller. `stop` ends every call within a second.
  ServiceCaller(Service service, Patience patience, http::HttpTransport& transport,
                CredentialsCache& credentials, Clock& clock, uint64_t seed, std::stop_token stop);

  /// The successful answer; kCancelled within a second of `stop`.
  Result<http::Response> Send(const Call& call, std::stop_token stop, CallRecord* record = nullptr);

  /// A link to `path` that needs no credentials until `lifetime` is over.
  Result<std::string> Presign(const std::string& method, const std::string& path,
                              const Query& query, std::chrono::seconds lifetime);

  /// The time by the server's clock, as far as it is known.
  Timestamp Now() { return clock_.Now() + std::chrono::microseconds(skew_.load()); }

 private:
  http::Request Sign(const Call& call, const Credentials& credentials,
                     const std::string& payload_digest, Timestamp now);
  std::expected<http::Response, Failure> SendOnce(const Call& call, const Credentials& credentials,
                                                  const std::string& payload_digest,
                                                  std::stop_token stop);
  Failure JudgeAnswer(const Call& call, const Refusal& refusal, const http::Response& response,
                      const Credentials& credentials, Timestamp signed_at);
  bool Recover(Verdict verdict, const Credentials& credentials);
  std::optional<Timestamp> AdoptTimeOf(const http::Response& response);
  std::chrono::microseconds PauseBefore(int attempt, const Error& error);

  const Service service_;
  const Patience patience_;
  const std::string origin_;  // "https://host"
  const std::string host_;
  http::HttpTransport& transport_;
  CredentialsCache& credentials_;
  Clock& clock_;
  const std::stop_token stop_;
  std::atomic<int64_t> skew_ = 0;  // microseconds
  std::mutex mutex_;
  Random random_;  // guarded by mutex_
};

}  // namespace spillway::aws
