#include "aws/service_caller.h"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/jumping_clock.h"
#include "http/curl_transport.h"
#include "http/scripted_server.h"

namespace spillway::aws {
namespace {

using http::Answer;
using http::SeenRequest;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

/// The codes of a service that speaks JSON, as DynamoDB does.
constexpr std::array kCodes = std::to_array<CodeMeaning>({
    {"ThrottlingException", ErrorCode::kUnavailable, Verdict::kThrottled},
    {"LimitExceededException", ErrorCode::kUnavailable, Verdict::kTransient},
    {"InternalServerError", ErrorCode::kUnavailable, Verdict::kUnknown},
    {"ConditionalCheckFailedException", ErrorCode::kConflict},
    {"AccessDeniedException", ErrorCode::kPermissionDenied, Verdict::kNotAllowed},
    {"InvalidSignatureException", ErrorCode::kPermissionDenied, Verdict::kClockSkew},
    {"ExpiredTokenException", ErrorCode::kPermissionDenied, Verdict::kExpiredCredentials},
});

std::optional<Refusal> ReadJson(const Call&, const http::Response& response) {
  const auto body = nlohmann::json::parse(response.body, nullptr, false);
  if (!body.is_object()) return response.ok() ? std::nullopt : std::optional(Refusal());
  const std::string type = body.value("__type", "");
  if (type.empty() && response.ok()) return std::nullopt;
  return Refusal{.code = type.substr(type.find('#') + 1), .message = body.value("message", "")};
}

Answer Refuse(int status, const std::string& code, const std::string& headers = "") {
  return {.status = status,
          .headers = headers,
          .body = R"({"__type":"com.amazonaws.table.v1#)" + code + R"(","message":"no,\nno"})"};
}

const std::string kLater = "Date: Fri, 24 May 2030 00:00:00 GMT\r\n";

/// Has no credentials until it is asked the second time.
class LateCredentials final : public CredentialsProvider {
 public:
  Result<std::optional<Credentials>> Fetch(std::stop_token) override {
    if (asked_++ == 0) return FailTransient(ErrorCode::kUnavailable, "answered HTTP 503");
    return Credentials{.access_key_id = "id", .secret_access_key = Redacted("secret")};
  }
  std::string name() const override { return "a late service"; }

 private:
  int asked_ = 0;
};

/// Has other credentials each time.
class NewCredentials final : public CredentialsProvider {
 public:
  Result<std::optional<Credentials>> Fetch(std::stop_token) override {
    return Credentials{.access_key_id = "id" + std::to_string(fetched_++),
                       .secret_access_key = Redacted("secret"),
                       .session_token = Redacted("token")};
  }
  std::string name() const override { return "a role"; }

 private:
  int fetched_ = 0;
};

/// A caller whose server answers the n-th request (from 0) as the script says, one at a time.
class ServiceCallerTest : public testing::Test {
 protected:
  void Script(std::function<Answer(int, const SeenRequest&)> script, uint64_t seed = 1) {
    requests_ = 0;
    server_.emplace([this, script = std::move(script)](const SeenRequest& request) {
      const std::lock_guard lock(scripted_);
      return script(requests_++, request);
    });
    Use(*credentials_, seed);
  }

  /// Calls with these credentials from now on.
  void Use(CredentialsCache& credentials, uint64_t seed = 1) {
    caller_ =
        std::make_unique<ServiceCaller>(Service{.name = "table",
                                                .region = "eu-west-1",
                                                .endpoint = server_->url() + "/",
                                                .read_refusal = ReadJson,
                                                .codes = kCodes},
                                        Patience{.retry_for = std::chrono::seconds(30),
                                                 .backoff = std::chrono::milliseconds(50),
                                                 .backoff_max = std::chrono::seconds(5)},
                                        transport_, credentials, clock_, seed, stop_.get_token());
  }

  Result<http::Response> Put(CallRecord* record = nullptr) { return Send("POST", record); }

  Result<http::Response> Send(const std::string& method, CallRecord* record = nullptr) {
    return caller_->Send({.method = method,
                          .headers = {{"x-amz-target", "Table.Put"}},
                          .body = {std::as_bytes(std::span(std::string_view("{}")))},
                          .restart = [this] { ++restarts_; },
                          .what = "Put table",
                          .permission = "table:Put in the role's policy"},
                         {}, record);
  }

  std::unique_ptr<CredentialsCache> Cache(std::unique_ptr<CredentialsProvider> provider) {
    return std::make_unique<CredentialsCache>(std::move(provider), clock_);
  }

  std::mutex scripted_;
  int requests_ = 0;
  int restarts_ = 0;
  std::optional<http::ScriptedServer> server_;
  std::stop_source stop_;
  JumpingClock clock_;
  http::CurlTransport transport_{{}};
  const Credentials static_{.access_key_id = "id", .secret_access_key = Redacted("secret")};
  const std::unique_ptr<CredentialsCache> credentials_ =
      Cache(std::make_unique<StaticCredentials>(static_));
  const std::unique_ptr<CredentialsCache> temporary_ = Cache(std::make_unique<NewCredentials>());
  std::unique_ptr<ServiceCaller> caller_;
};

TEST_F(ServiceCallerTest, SignsForItsServiceAndRegion) {
  Script([](int, const SeenRequest&) { return Answer{.body = R"({"Item":1})"}; });
  const auto put = Put();
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_EQ(put->body, R"({"Item":1})");
  const SeenRequest seen = server_->seen()[0];
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/");
  EXPECT_EQ(seen.body, "{}");
  const std::string digest = ToHex(Sha256Of(seen.body));
  const auto expected = SignatureHeaders({.method = "POST",
                                          .headers = {{"x-amz-target", "Table.Put"},
                                                      {"x-amz-content-sha256", digest},
                                                      {"host", seen.Header("host")}}},
                                         digest, static_, {"eu-west-1", "table"}, clock_.Now());
  EXPECT_EQ(seen.Header("authorization"), expected.back().value);
}

TEST_F(ServiceCallerTest, OutlastsThrottlingAndCountsIt) {
  Script([](int n, const SeenRequest&) {
    if (n == 3) return Refuse(400, "LimitExceededException");
    return n < 6 ? Refuse(400, "ThrottlingException") : Answer{.body = "{}"};
  });
  CallRecord record;
  const auto put = Put(&record);
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_EQ(record.attempts, 7);
  EXPECT_EQ(record.throttled, 5);
  EXPECT_EQ(record.failure_code, "");
  EXPECT_FALSE(record.unknown);
  EXPECT_EQ(restarts_, 7);
  // Signed again, later.
  EXPECT_NE(server_->seen()[0].Header("authorization"), server_->seen()[6].Header("authorization"));
}

TEST_F(ServiceCallerTest, PausesGrowAndAreRandomParts) {
  const auto pauses = [&](uint64_t seed) {
    std::vector<std::chrono::microseconds> between;
    Timestamp last;
    Script(
        [&](int n, const SeenRequest&) {
          if (n > 0) between.push_back(clock_.Now() - last);
          last = clock_.Now();
          return Refuse(400, "ThrottlingException");
        },
        seed);
    EXPECT_FALSE(Put());
    return between;
  };
  const auto first = pauses(1);
  EXPECT_NE(first, pauses(2));
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_LE(first[i], std::chrono::milliseconds(50) * (1 << i));
    EXPECT_LE(first[i], std::chrono::seconds(5));
  }
  EXPECT_GT(std::ranges::max(first), std::chrono::seconds(1));
}

TEST_F(ServiceCallerTest, PatienceEnds) {
  Script([](int, const SeenRequest&) { return Refuse(400, "ThrottlingException"); });
  const Timestamp begin = clock_.Now();
  CallRecord record;
  const auto put = Put(&record);
  ASSERT_FALSE(put);
  EXPECT_TRUE(put.error().retryable);
  EXPECT_EQ(put.error().code, ErrorCode::kUnavailable);
  const std::string attempts = std::to_string(record.attempts);
  EXPECT_EQ(put.error().message, "Put table: ThrottlingException (no, no); gave up after " +
                                     attempts + " attempts, " + attempts + " of them throttled");
  EXPECT_EQ(record.failure_code, "ThrottlingException");
  EXPECT_LE(clock_.Now() - begin, std::chrono::seconds(30));
}

TEST_F(ServiceCallerTest, HeedsRetryAfter) {
  Script([](int n, const SeenRequest&) {
    return n == 0 ? Refuse(400, "ThrottlingException", "Retry-After: 7\r\n") : Answer{};
  });
  const Timestamp begin = clock_.Now();
  ASSERT_TRUE(Put());
  EXPECT_GE(clock_.Now() - begin, std::chrono::seconds(7));
}

TEST_F(ServiceCallerTest, JudgesByTheCodeAndElseByTheStatus) {
  struct Case {
    Answer answer;
    ErrorCode means;
    bool retryable;
    std::string says;
  };
  for (const Case& refused :
       {Case{Refuse(400, "ConditionalCheckFailedException"), ErrorCode::kConflict, false,
             "ConditionalCheckFailedException (no, no)"},
        // Codes of S3 mean nothing here.
        Case{Refuse(400, "SlowDown"), ErrorCode::kInvalidArgument, false, "SlowDown"},
        Case{Refuse(403, "ExpiredToken"), ErrorCode::kPermissionDenied, false, "ExpiredToken"},
        Case{Refuse(500, "Strange"), ErrorCode::kUnavailable, true, "Strange"},
        Case{{.status = 429}, ErrorCode::kUnavailable, true, "HTTP 429"},
        Case{{.status = 502, .body = "<html>"}, ErrorCode::kUnavailable, true, "HTTP 502"},
        Case{{.status = 404}, ErrorCode::kNotFound, false, "HTTP 404"},
        Case{{.status = 418}, ErrorCode::kUnavailable, false, "HTTP 418"}}) {
    Script([&](int, const SeenRequest&) { return refused.answer; });
    CallRecord record;
    const auto put = Put(&record);
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, refused.means) << refused.says;
    EXPECT_EQ(put.error().retryable, refused.retryable) << refused.says;
    EXPECT_EQ(record.attempts > 1, refused.retryable) << refused.says;
    EXPECT_THAT(put.error().message, AllOf(HasSubstr("Put table: " + refused.says),
                                           Not(HasSubstr("\n")), Not(HasSubstr("; allow"))));
  }
}

TEST_F(ServiceCallerTest, SaysWhatToAllow) {
  for (const Answer& answer : {Refuse(400, "AccessDeniedException"), Answer{.status = 403}}) {
    Script([&](int, const SeenRequest&) { return answer; });
    const auto put = Put();
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, ErrorCode::kPermissionDenied);
    EXPECT_THAT(put.error().message, EndsWith("; allow table:Put in the role's policy"));
    EXPECT_THAT(server_->seen(), SizeIs(1));
  }
}

TEST_F(ServiceCallerTest, ARefusalInsideASuccessMayPass) {
  Script([](int n, const SeenRequest&) {
    return n == 0 ? Refuse(200, "Strange") : Answer{.body = "{}"};
  });
  EXPECT_TRUE(Put());
  EXPECT_THAT(server_->seen(), SizeIs(2));
}

TEST_F(ServiceCallerTest, TellsWhatMayHaveBeenCarriedOut) {
  struct Case {
    Answer first;
    bool unknown;
  };
  for (const Case& lost :
       {Case{{.cut_after = -3}, true}, Case{{.body = "{}", .cut_after = 1}, true},
        Case{Refuse(500, "InternalServerError"), true}, Case{{.status = 500}, true},
        Case{{.status = 504, .body = "<html>"}, true}, Case{{.status = 503}, false},
        Case{Refuse(400, "LimitExceededException"), false},
        Case{Refuse(400, "ThrottlingException"), false}}) {
    // The second attempt of a conditional put finds what the first may have put there.
    Script([&](int n, const SeenRequest&) {
      return n == 0 ? lost.first : Refuse(400, "ConditionalCheckFailedException");
    });
    CallRecord record;
    const auto put = Put(&record);
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, ErrorCode::kConflict);
    EXPECT_EQ(record.failure_code, "ConditionalCheckFailedException");
    EXPECT_EQ(record.unknown, lost.unknown) << lost.first.body;
  }
}

TEST_F(ServiceCallerTest, ASkewedClockIsPutRight) {
  for (const std::string method : {"POST", "HEAD"}) {
    Script([](int n, const SeenRequest&) {
      return n == 0 ? Refuse(403, "InvalidSignatureException", kLater) : Answer{.headers = kLater};
    });
    const auto sent = Send(method);
    EXPECT_TRUE(sent) << sent.error().message;
    ASSERT_THAT(server_->seen(), SizeIs(2));
    EXPECT_THAT(server_->seen()[0].Header("x-amz-date"), HasSubstr("20270115T"));
    EXPECT_THAT(server_->seen()[1].Header("x-amz-date"), HasSubstr("20300524T0000"));
  }
}

TEST_F(ServiceCallerTest, AClockThatStaysSkewedEnds) {
  Script([](int, const SeenRequest&) { return Refuse(403, "InvalidSignatureException", kLater); });
  EXPECT_EQ(Put().error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(server_->seen(), SizeIs(2));
}

TEST_F(ServiceCallerTest, ExpiredCredentialsAreFetchedAgainOnce) {
  Script([](int n, const SeenRequest&) {
    return n == 0 ? Refuse(400, "ExpiredTokenException") : Answer{};
  });
  Use(*temporary_);
  EXPECT_TRUE(Put());
  ASSERT_THAT(server_->seen(), SizeIs(2));
  EXPECT_THAT(server_->seen()[0].Header("authorization"), HasSubstr("Credential=id0/"));
  EXPECT_THAT(server_->seen()[1].Header("authorization"), HasSubstr("Credential=id1/"));
  Script([](int, const SeenRequest&) { return Refuse(400, "ExpiredTokenException"); });
  Use(*temporary_);
  EXPECT_EQ(Put().error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(server_->seen(), SizeIs(2));
}

TEST_F(ServiceCallerTest, AHeadWithExpiredCredentialsIsTriedWithOthers) {
  Script([](int n, const SeenRequest&) { return Answer{.status = n == 0 ? 400 : 200}; });
  EXPECT_FALSE(Send("HEAD")) << "long-lived keys do not expire";
  Script([](int n, const SeenRequest&) { return Answer{.status = n == 1 ? 400 : 200}; });
  Use(*temporary_);
  EXPECT_TRUE(Send("HEAD"));
  clock_.SleepFor(CredentialsCache::kAskAgain, {});
  EXPECT_TRUE(Send("HEAD"));
  EXPECT_THAT(server_->seen(), SizeIs(3));
}

TEST_F(ServiceCallerTest, AHeadThatIsNotAllowedFetchesNoCredentialsEachTime) {
  Script([](int, const SeenRequest&) { return Answer{.status = 403}; });
  Use(*temporary_);
  for (int n = 0; n < 3; ++n) EXPECT_EQ(Send("HEAD").error().code, ErrorCode::kPermissionDenied);
  clock_.SleepFor(CredentialsCache::kAskAgain, {});
  for (int n = 0; n < 3; ++n) EXPECT_EQ(Send("HEAD").error().code, ErrorCode::kPermissionDenied);
  std::vector<std::string> signed_by;
  for (const SeenRequest& seen : server_->seen()) {
    const std::string header = seen.Header("authorization");
    signed_by.push_back(header.substr(header.find("Credential=") + 11, 3));
  }
  EXPECT_THAT(signed_by, testing::ElementsAre("id0", "id0", "id0", "id0", "id1", "id1", "id1"));
}

/// Both were signed by the wrong clock; the one that is answered first puts it right.
TEST_F(ServiceCallerTest, AHeadIsTriedAgainByAClockThatAnotherRequestHasPutRight) {
  std::atomic<int> asked = 0;
  server_.emplace([&](const SeenRequest&) {
    switch (asked++) {
      case 0:
        EXPECT_TRUE(caller_->Send({.method = "POST", .what = "Put table"}, {}));
        return Answer{.status = 403, .headers = kLater};
      case 1:
        return Refuse(403, "InvalidSignatureException", kLater);
      default:
        return Answer{.headers = kLater};
    }
  });
  Use(*credentials_);
  EXPECT_TRUE(Send("HEAD"));
  EXPECT_EQ(asked, 4);
}

TEST_F(ServiceCallerTest, PassingTroubleWithCredentialsIsOutlasted) {
  Script([](int, const SeenRequest&) { return Answer{}; });
  const auto late = Cache(std::make_unique<LateCredentials>());
  Use(*late);
  const auto put = Put();
  EXPECT_TRUE(put) << put.error().message;
}

TEST_F(ServiceCallerTest, StopsBetweenAttempts) {
  Script([this](int, const SeenRequest&) {
    stop_.request_stop();
    return Refuse(503, "Away");
  });
  EXPECT_EQ(Put().error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace spillway::aws
