#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace spillway::http {

using Bytes = std::span<const std::byte>;

struct Header {
  std::string name;
  std::string value;

  bool operator==(const Header&) const = default;
};

/// One request, sent once. The pieces of the body must outlive the call.
struct Request {
  std::string method = "GET";
  /// Percent-encoded; sent as it stands, `.` and `..` included.
  std::string url;
  std::vector<Header> headers = {};
  std::vector<Bytes> body = {};
  /// The limit for the whole exchange; zero: only the transport's own limits apply.
  std::chrono::milliseconds timeout{0};
  /// The longest time without a byte in either direction; zero: the transport's own limit.
  std::chrono::seconds idle_timeout{0};
  /// Goes to the server itself, even when the environment names a proxy.
  bool direct = false;
};

struct Response {
  int status = 0;
  std::vector<Header> headers = {};
  /// The body where no BodySink took it, at most HttpTransport::kMaxBodyBytes.
  std::string body = {};

  /// The first header of this name, whatever its case.
  std::optional<std::string_view> Find(std::string_view name) const;
  bool ok() const { return status >= 200 && status < 300; }
};

/// Takes the body of a successful (2xx) answer as it arrives; an error ends the exchange.
using BodySink = std::function<Result<>(Bytes)>;

/// Sends requests. Thread-safe.
class HttpTransport {
 public:
  static constexpr size_t kMaxBodyBytes = size_t{16} << 20;

  virtual ~HttpTransport() = default;

  /// Any answer of the server is a Response, whatever its status. Errors: kUnavailable (retryable)
  /// where no whole answer came, kCancelled as soon as `stop` is requested, kPermissionDenied where
  /// the server's certificate is not trusted, and what `sink` returned. Redirections are
  /// not followed.
  virtual Result<Response> Send(const Request& request, const BodySink& sink,
                                std::stop_token stop) = 0;
};

}  // namespace spillway::http
