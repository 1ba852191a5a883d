#include "http/curl_transport.h"

#include <cstdlib>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/percent_encoding.h"
#include "http/scripted_server.h"

namespace spillway::http {
namespace {

using testing::HasSubstr;

Bytes BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

Answer Echo(const SeenRequest& request) {
  return {.body = request.method + " " + request.target + " " + request.body};
}

TEST(PercentEncoding, KeepsUnreservedCharactersOnly) {
  EXPECT_EQ(PercentEncode("aZ09-._~/ +%ü"), "aZ09-._~%2F%20%2B%25%C3%BC");
  EXPECT_EQ(PercentEncode("a/b c", Slash::kKeep), "a/b%20c");
  EXPECT_EQ(FormDecode("a%2Fb+c%c3%BC%2"), "a/b c\xc3\xbc%2");
}

TEST(CurlTransport, SendsPiecesAndReturnsTheAnswer) {
  ScriptedServer server(Echo);
  CurlTransport transport({});
  const auto response = transport.Send({.method = "PUT",
                                        .url = server.url() + "/a/../b?c=%20",
                                        .headers = {{"X-One", "1"}, {"X-Empty", ""}},
                                        .body = {BytesOf("one"), {}, BytesOf("two")}},
                                       nullptr, {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "PUT /a/../b?c=%20 onetwo");
  EXPECT_EQ(response->Find("CONTENT-length"), "24");
  const SeenRequest seen = server.seen().at(0);
  EXPECT_EQ(seen.Header("x-one"), "1");
  EXPECT_THAT(seen.head, HasSubstr("x-empty:"));
  EXPECT_EQ(seen.Header("content-type"), "");
  EXPECT_EQ(seen.Header("expect"), "");
}

TEST(CurlTransport, StreamsBothWays) {
  ScriptedServer server([](const SeenRequest& request) { return Answer{.body = request.body}; });
  CurlTransport transport({});
  std::string sent;
  for (int i = 0; i < 3'000'000; ++i) sent += static_cast<char>('a' + i % 26);
  const Request request{.method = "POST", .url = server.url() + "/", .body = {BytesOf(sent)}};
  std::string received;
  const auto response =
      transport.Send(request,
                     [&](Bytes bytes) -> Result<> {
                       received.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                       return {};
                     },
                     {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_TRUE(received == sent);
  EXPECT_EQ(response->body, "");
}

TEST(CurlTransport, ErrorsOfTheBodyEndTheExchange) {
  ScriptedServer server([](const SeenRequest&) { return Answer{.body = "text"}; });
  CurlTransport transport({});
  const auto refused =
      transport.Send({.url = server.url()},
                     [](Bytes) -> Result<> { return Fail(ErrorCode::kOutOfSpace, "full"); }, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "full");
}

TEST(CurlTransport, UsesOneConnectionForRequestsInTurn) {
  ScriptedServer server(Echo);
  CurlTransport transport({});
  for (const std::string method : {"GET", "HEAD", "PUT", "POST", "DELETE", "GET"}) {
    const auto response = transport.Send({.method = method, .url = server.url()}, nullptr, {});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, method == "HEAD" ? "" : method + " / ");
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlTransport, AnAnswerCutShortIsNoAnswer) {
  ScriptedServer server(
      [](const SeenRequest&) { return Answer{.body = "0123456789", .cut_after = 4}; });
  CurlTransport transport({});
  const auto response = transport.Send({.url = server.url() + "/?secret=1"}, nullptr, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(response.error().retryable);
  EXPECT_THAT(response.error().message, HasSubstr("no answer from " + server.url()));
  EXPECT_THAT(response.error().message, testing::Not(HasSubstr("secret")));
}

TEST(CurlTransport, NobodyThereIsTransient) {
  std::string url;
  {
    const ScriptedServer gone(Echo);
    url = gone.url();
  }
  CurlTransport transport({});
  const auto response = transport.Send({.url = url}, nullptr, {});
  ASSERT_FALSE(response);
  EXPECT_TRUE(response.error().retryable);
  const auto nonsense = transport.Send({.url = "ftp://127.0.0.1/"}, nullptr, {});
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().code, ErrorCode::kInvalidArgument);
}

TEST(CurlTransport, WaitsForASilentServerAsLongAsTheRequestSays) {
  ScriptedServer server([](const SeenRequest&) {
    std::this_thread::sleep_for(std::chrono::seconds(4));
    return Answer{};
  });
  CurlTransport transport({.idle_timeout = std::chrono::seconds(1)});
  const auto late = transport.Send({.url = server.url()}, nullptr, {});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
  const auto awaited =
      transport.Send({.url = server.url(), .idle_timeout = std::chrono::seconds(60)}, nullptr, {});
  EXPECT_TRUE(awaited) << awaited.error().message;
}

/// Sets a variable of the environment while it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(CurlTransport, GoesDirectlyWhereItIsTold) {
  ScriptedServer proxy(Echo);
  ScriptedServer server(Echo);
  const Variable proxied("http_proxy", proxy.url());
  const Variable unless("no_proxy", "");
  CurlTransport transport({});
  ASSERT_TRUE(transport.Send({.url = server.url() + "/a", .direct = true}, nullptr, {}));
  EXPECT_TRUE(proxy.seen().empty());
  EXPECT_EQ(server.seen().size(), 1u);
  ASSERT_TRUE(transport.Send({.url = server.url() + "/b"}, nullptr, {}));
  EXPECT_EQ(proxy.seen().size(), 1u);
  EXPECT_EQ(server.seen().size(), 1u);
}

TEST(CurlTransport, HeadersHaveNoLineBreaks) {
  ScriptedServer server(Echo);
  CurlTransport transport({});
  const auto response =
      transport.Send({.url = server.url(), .headers = {{"X", "1\r\nY: 2"}}}, nullptr, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(server.connections(), 0);
}

TEST(CurlTransport, StopsWhileTheServerIsSilent) {
  ScriptedServer server([](const SeenRequest&) { return Answer{.cut_after = -2}; });
  CurlTransport transport({});
  std::stop_source stop;
  const std::jthread stopper([&] {
    while (server.seen().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    stop.request_stop();
  });
  // Without the stop this would wait for idle_timeout, and the test for its time limit.
  const auto response = transport.Send({.url = server.url()}, nullptr, stop.get_token());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kCancelled);
  const auto again = transport.Send({.url = server.url()}, nullptr, stop.get_token());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kCancelled);
}

TEST(CurlTransport, GivesUpOnASilentServer) {
  ScriptedServer server([](const SeenRequest&) { return Answer{.cut_after = -2}; });
  CurlTransport transport({});
  const auto response =
      transport.Send({.url = server.url(), .timeout = std::chrono::milliseconds(50)}, nullptr, {});
  ASSERT_FALSE(response);
  EXPECT_TRUE(response.error().retryable);
}

}  // namespace
}  // namespace spillway::http
