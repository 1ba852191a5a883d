#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/transport.h"

namespace spillway::http {

struct CurlOptions {
  /// A PEM file of certificates to trust; empty for the system's own.
  std::string ca_file = {};
  std::chrono::milliseconds connect_timeout{10'000};
  /// How long an exchange may go without a byte in either direction.
  std::chrono::seconds idle_timeout{60};
  std::string user_agent = "spillway";
};

/// HTTP/1.1 over libcurl. A connection is kept and used again by the next request to the same
/// server; as many are open as there were requests at the same time. TLS 1.2 at least.
class CurlTransport final : public HttpTransport {
 public:
  explicit CurlTransport(CurlOptions options);
  ~CurlTransport() override;

  Result<Response> Send(const Request& request, const BodySink& sink,
                        std::stop_token stop) override;

 private:
  class Connection;

  Result<std::unique_ptr<Connection>> Take();
  void Return(std::unique_ptr<Connection> connection);

  const CurlOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_; the warmest last
};

}  // namespace spillway::http
