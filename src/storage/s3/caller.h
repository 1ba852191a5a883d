#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "aws/service_caller.h"
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

/// Sends calls to one bucket, as aws::ServiceCaller does. Thread-safe.
class Caller {
 public:
  /// All but the options must outlive the caller. `stop` ends every call within a second.
  Caller(ClientOptions options, http::HttpTransport& transport, aws::CredentialsCache& credentials,
         Clock& clock, uint64_t seed, std::stop_token stop);

  /// The successful answer; kCancelled within a second of `stop`.
  Result<http::Response> Send(const Call& call, std::stop_token stop,
                              aws::CallRecord* record = nullptr);

  /// A link to `key` that needs no credentials until `lifetime` is over.
  Result<std::string> Presign(const std::string& method, const std::string& key,
                              const aws::Query& query, std::chrono::seconds lifetime);

  const ClientOptions& options() const { return options_; }

  /// The time by the server's clock, as far as it is known.
  Timestamp Now() { return service_.Now(); }

 private:
  std::string PathOf(const std::optional<std::string>& key) const;
  std::string Describe(const Call& call) const;

  const ClientOptions options_;
  const bool bucket_in_path_;
  aws::ServiceCaller service_;
};

}  // namespace spillway::storage::s3
