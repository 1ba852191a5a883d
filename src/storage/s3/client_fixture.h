#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/jumping_clock.h"
#include "http/curl_transport.h"
#include "http/scripted_server.h"
#include "storage/s3/client.h"

namespace spillway::storage::s3 {

inline const std::vector<Bytes> kText = {std::as_bytes(std::span(std::string_view("text")))};

inline http::Answer Refuse(int status, const std::string& code, const std::string& headers = "") {
  return {.status = status,
          .headers = headers,
          .body = "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>no &amp;\nno" +
                  "</Message><Region>eu-west-1</Region></Error>"};
}

/// What S3 answers a copy or a completion that it has carried out.
inline http::Answer CarriedOut(const http::SeenRequest& request) {
  const bool part = request.target.contains("partNumber=");
  const std::string result = request.method == "POST" ? "CompleteMultipartUpload"
                             : part                   ? "CopyPart"
                                                      : "CopyObject";
  return {.body = "<" + result + "Result><ETag>e</ETag></" + result + "Result>"};
}

/// A client whose server answers the n-th request (from 0) as the script says, one at a time.
class ClientTest : public testing::Test {
 protected:
  void Script(std::function<http::Answer(int, const http::SeenRequest&)> script) {
    server_.emplace([this, script = std::move(script)](const http::SeenRequest& request) {
      const std::lock_guard lock(scripted_);
      return script(requests_++, request);
    });
    ClientOptions options{.bucket = "bucket", .endpoint = server_->url(), .path_style = true};
    options.encryption = encryption_;
    caller_.emplace(options, transport_, credentials_, clock_, 1, stop_.get_token());
    client_.emplace(*caller_);
  }

  std::mutex scripted_;
  std::optional<http::ScriptedServer> server_;
  std::atomic<int> requests_ = 0;
  Encryption encryption_;
  std::stop_source stop_;
  JumpingClock clock_;
  http::CurlTransport transport_{{}};
  aws::CredentialsCache credentials_{
      std::make_unique<aws::StaticCredentials>(
          aws::Credentials{.access_key_id = "id", .secret_access_key = Redacted("secret")}),
      clock_};
  std::optional<Caller> caller_;
  std::optional<Client> client_;
};

}  // namespace spillway::storage::s3
