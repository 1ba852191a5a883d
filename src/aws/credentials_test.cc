#include "aws/credentials.h"

#include <atomic>
#include <fstream>
#include <future>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/providers.h"
#include "base/manual_clock.h"
#include "base/scratch_directory.h"

namespace spillway::aws {
namespace {

using testing::HasSubstr;

using Variables = std::map<std::string, std::string>;

Environment Has(Variables variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

/// Answers by "METHOD url"; at any other address nothing answers.
class FakeTransport final : public http::HttpTransport {
 public:
  Result<http::Response> Send(const http::Request& request, const http::BodySink&,
                              std::stop_token) override {
    std::string text = request.method + " " + request.url;
    for (const http::Header& header : request.headers)
      text += "\n" + header.name + ": " + header.value;
    for (const http::Bytes piece : request.body)
      text.append("\n").append(reinterpret_cast<const char*>(piece.data()), piece.size());
    seen.push_back(text);
    if (request.url.starts_with("http://")) all_direct = all_direct && request.direct;
    const auto found = answers.find(request.method + " " + request.url);
    if (found == answers.end()) return FailTransient(ErrorCode::kUnavailable, "nobody there");
    return found->second;
  }

  std::map<std::string, http::Response> answers;
  std::vector<std::string> seen;
  bool all_direct = true;  // of requests that were not sent over TLS
};

void ExpectKeys(const Result<std::optional<Credentials>>& found, const std::string& id,
                const std::string& secret, const std::string& token) {
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->access_key_id, id);
  EXPECT_EQ((*found)->secret_access_key.Reveal(), secret);
  EXPECT_EQ((*found)->session_token.Reveal(), token);
}

constexpr char kJson[] = R"({"AccessKeyId":"ID","SecretAccessKey":"SECRET","Token":"TOKEN",)"
                         R"("Expiration":"2027-01-15T08:00:00Z"})";

TEST(EnvironmentCredentials, NeedsBothHalves) {
  ExpectKeys(EnvironmentCredentials(Has({{"AWS_ACCESS_KEY_ID", "ID"},
                                         {"AWS_SECRET_ACCESS_KEY", "SECRET"},
                                         {"AWS_SESSION_TOKEN", "TOKEN"}}))
                 .Fetch({}),
             "ID", "SECRET", "TOKEN");
  EXPECT_FALSE(EnvironmentCredentials(Has({})).Fetch({}).value().has_value());
  EXPECT_FALSE(EnvironmentCredentials(Has({{"AWS_ACCESS_KEY_ID", "ID"}})).Fetch({}));
}

class ProfileCredentialsTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(home_ / ".aws"); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(home_ / (".aws/" + name)) << text;
  }
  Result<std::optional<Credentials>> Fetch(Variables variables = {}) {
    variables["HOME"] = home_.path();
    return ProfileCredentials(Has(variables)).Fetch({});
  }

  ScratchDirectory home_;
};

TEST_F(ProfileCredentialsTest, ReadsTheDefaultAndTheNamedProfile) {
  Write("credentials",
        "# comment\n[default]\naws_access_key_id = D\naws_secret_access_key=DS\r\n\n"
        "[ other ]\naws_access_key_id=O\n aws_access_key_id = nested\n"
        "aws_secret_access_key = O=S/+\naws_session_token = T\n");
  ExpectKeys(Fetch(), "D", "DS", "");
  ExpectKeys(Fetch({{"AWS_PROFILE", "other"}}), "O", "O=S/+", "T");
}

TEST_F(ProfileCredentialsTest, ReadsTheConfigFileToo) {
  Write("config",
        "[profile p]\nregion = eu-west-1\naws_access_key_id = C\naws_secret_access_key = CS\n");
  ExpectKeys(Fetch({{"AWS_PROFILE", "p"}}), "C", "CS", "");
  Write("credentials", "[p]\naws_access_key_id = N\naws_secret_access_key = NS\n");
  ExpectKeys(Fetch({{"AWS_PROFILE", "p"}}), "N", "NS", "");
}

TEST_F(ProfileCredentialsTest, SaysWhatItCannotDo) {
  EXPECT_FALSE(Fetch().value().has_value());
  const auto missing = Fetch({{"AWS_PROFILE", "nobody"}});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("profile 'nobody'"));
  Write("config", "[profile r]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\n");
  const auto role = Fetch({{"AWS_PROFILE", "r"}});
  ASSERT_FALSE(role);
  EXPECT_EQ(role.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(role.error().message, HasSubstr("role_arn"));
}

class WebIdentityTest : public testing::Test {
 protected:
  void SetUp() override { std::ofstream(folder_ / "token") << "a.b/c\n"; }
  Result<std::optional<Credentials>> Fetch(Variables more = {},
                                           const std::string& region = "eu-west-1") {
    Variables variables = {{"AWS_WEB_IDENTITY_TOKEN_FILE", (folder_ / "token").string()},
                           {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"}};
    variables.merge(more);
    return WebIdentityCredentials(Has(variables), transport_, region).Fetch({});
  }

  ScratchDirectory folder_;
  FakeTransport transport_;
};

TEST_F(WebIdentityTest, TakesOnTheRole) {
  transport_.answers["POST https://sts.eu-west-1.amazonaws.com/"] = {
      .status = 200,
      .body =
          "<AssumeRoleWithWebIdentityResponse "
          "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
          "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ID</AccessKeyId>"
          "<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
          "<Expiration>2027-01-15T08:00:00.5Z</Expiration></Credentials>"
          "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"};
  const auto found = Fetch();
  ExpectKeys(found, "ID", "S", "T");
  EXPECT_EQ(FormatTimestamp(*(*found)->expires_at), "2027-01-15T08:00:00.500000Z");
  EXPECT_THAT(transport_.seen.at(0),
              HasSubstr("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&"
                        "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=spillway&"
                        "WebIdentityToken=a.b%2Fc"));
}

TEST_F(WebIdentityTest, R02AsksInThePartitionOfTheRegion) {
  static_cast<void>(Fetch({}, "cn-north-1"));
  EXPECT_THAT(transport_.seen.at(0),
              testing::StartsWith("POST https://sts.cn-north-1.amazonaws.com.cn/\n"));
}

TEST_F(WebIdentityTest, TellsARefusalFromAnOutage) {
  const std::string url = "https://sts.example";
  transport_.answers["POST " + url + "/"] = {
      .status = 400,
      .body =
          "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>old</Message>"
          "</Error></ErrorResponse>"};
  const auto refused = Fetch({{"AWS_ENDPOINT_URL_STS", url}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.error().message, HasSubstr("ExpiredTokenException old"));
  transport_.answers["POST " + url + "/"] = {.status = 503};
  EXPECT_TRUE(Fetch({{"AWS_ENDPOINT_URL_STS", url}}).error().retryable);
}

TEST(ContainerCredentials, AsksTheTaskAndThePod) {
  FakeTransport transport;
  transport.answers["GET http://169.254.170.2/v2/x"] = {.status = 200, .body = kJson};
  transport.answers["GET http://169.254.170.23/v1/credentials"] = {.status = 200, .body = kJson};
  ExpectKeys(
      ContainerCredentials(Has({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"}}), transport)
          .Fetch({}),
      "ID", "SECRET", "TOKEN");
  ScratchDirectory folder;
  std::ofstream(folder / "token") << "pod token\n";
  ExpectKeys(
      ContainerCredentials(
          Has({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"},
               {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", (folder / "token").string()}}),
          transport)
          .Fetch({}),
      "ID", "SECRET", "TOKEN");
  EXPECT_THAT(transport.seen.at(1), HasSubstr("Authorization: pod token"));
}

TEST(ContainerCredentials, SendsNoTokenElsewhereInTheClear) {
  FakeTransport transport;
  for (const std::string uri : {"http://example.com/", "http://127.0.0.1.example.com/",
                                "http://127.0.0.1:80@example.com/", "http://169.254.170.234/"}) {
    const auto found =
        ContainerCredentials(Has({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", uri}}), transport)
            .Fetch({});
    ASSERT_FALSE(found) << uri;
    EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(transport.seen.empty());
}

TEST(InstanceCredentials, UsesASessionToken) {
  FakeTransport transport;
  const std::string host = "http://169.254.169.254";
  const std::string roles = host + "/latest/meta-data/iam/security-credentials/";
  transport.answers["PUT " + host + "/latest/api/token"] = {.status = 200, .body = "session"};
  transport.answers["GET " + roles] = {.status = 200, .body = "role\n"};
  transport.answers["GET " + roles + "role"] = {.status = 200, .body = kJson};
  ExpectKeys(InstanceCredentials(Has({}), transport).Fetch({}), "ID", "SECRET", "TOKEN");
  EXPECT_THAT(transport.seen.at(2), HasSubstr("x-aws-ec2-metadata-token: session"));
  EXPECT_TRUE(transport.all_direct) << "a proxy would see the keys";
}

TEST(InstanceCredentials, ThatAreLateAreNotAbsent) {
  FakeTransport transport;
  const std::string host = "http://169.254.169.254";
  const std::string roles = host + "/latest/meta-data/iam/security-credentials/";
  http::Response& token = transport.answers["PUT " + host + "/latest/api/token"];
  InstanceCredentials instance(Has({}), transport);
  const auto is_late = [&] {
    const auto found = instance.Fetch({});
    return !found.has_value() && found.error().retryable;
  };
  token.status = 429;
  EXPECT_TRUE(is_late());
  token.status = 404;
  EXPECT_FALSE(instance.Fetch({}).value().has_value());
  token = {.status = 200, .body = "session"};
  transport.answers["GET " + roles] = {.status = 200, .body = "role\n"};
  transport.answers["GET " + roles + "role"] = {.status = 200, .body = kJson};
  ASSERT_TRUE(instance.Fetch({}));
  transport.answers.clear();
  EXPECT_TRUE(is_late()) << "there was an instance";
}

TEST(InstanceCredentials, IsNotThereElsewhere) {
  FakeTransport transport;
  EXPECT_FALSE(InstanceCredentials(Has({}), transport).Fetch({}).value().has_value());
  EXPECT_FALSE(InstanceCredentials(Has({{"AWS_EC2_METADATA_DISABLED", "true"}}), transport)
                   .Fetch({})
                   .value()
                   .has_value());
  EXPECT_EQ(transport.seen.size(), 1u);
}

TEST(DefaultCredentials, NamesEveryPlaceWhereThereIsNone) {
  FakeTransport transport;
  ScratchDirectory home;
  const auto found =
      DefaultCredentials(Has({{"HOME", home.path()}}), transport, "us-east-1")->Fetch({});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(found.error().message,
              HasSubstr("no AWS credentials in the environment, a web identity, the shared "
                        "credentials file, the container's credentials service or the instance's "
                        "metadata service"));
}

/// Gives out "1", "2", … with an end an hour after the clock, or always "same", or fails.
class Counting final : public CredentialsProvider {
 public:
  Counting(Clock& clock, int& fetched, bool& broken, bool& repeats)
      : clock_(clock), fetched_(fetched), broken_(broken), repeats_(repeats) {}
  Result<std::optional<Credentials>> Fetch(std::stop_token) override {
    ++fetched_;
    if (broken_) return FailTransient(ErrorCode::kUnavailable, "away");
    return Credentials{.access_key_id = repeats_ ? "same" : std::to_string(fetched_),
                       .secret_access_key = Redacted("s"),
                       .expires_at = clock_.Now() + std::chrono::hours(1)};
  }
  std::string name() const override { return "a counter"; }

 private:
  Clock& clock_;
  int& fetched_;
  bool& broken_;
  bool& repeats_;
};

class CredentialsCacheTest : public testing::Test {
 protected:
  std::string Get() {
    const auto found = cache_.Get({});
    return found ? found->access_key_id : found.error().message;
  }

  ManualClock clock_;
  int fetched_ = 0;
  bool broken_ = false;
  bool repeats_ = false;
  CredentialsCache cache_{std::make_unique<Counting>(clock_, fetched_, broken_, repeats_), clock_};
};

TEST_F(CredentialsCacheTest, RefreshesEarly) {
  EXPECT_EQ(Get(), "1");
  clock_.Advance(std::chrono::minutes(54));
  EXPECT_EQ(Get(), "1");
  clock_.Advance(std::chrono::minutes(2));
  EXPECT_EQ(Get(), "2");
}

TEST_F(CredentialsCacheTest, UsesTheOldOnesWhileNoneAreToBeHad) {
  EXPECT_EQ(Get(), "1");
  broken_ = true;
  clock_.Advance(std::chrono::minutes(56));
  EXPECT_EQ(Get(), "1");
  EXPECT_EQ(Get(), "1");
  EXPECT_EQ(fetched_, 2);
  clock_.Advance(std::chrono::minutes(5));
  EXPECT_EQ(Get(), "away");
}

/// Fetches "1" at once, and waits for the test before every later fetch.
class Held final : public CredentialsProvider {
 public:
  explicit Held(Clock& clock) : clock_(clock) {}
  Result<std::optional<Credentials>> Fetch(std::stop_token) override {
    const int number = ++fetches;
    if (number > 1) released.wait(false);
    return Credentials{.access_key_id = std::to_string(number),
                       .secret_access_key = Redacted("s"),
                       .expires_at = clock_.Now() + std::chrono::hours(1)};
  }
  std::string name() const override { return "a slow service"; }

  std::atomic<int> fetches = 0;
  std::atomic<bool> released = false;

 private:
  Clock& clock_;
};

class SlowCredentialsTest : public testing::Test {
 protected:
  /// Afterwards the first credentials are `age` old, and a thread is fetching new ones.
  void FetchAnew(std::chrono::minutes age) {
    EXPECT_EQ(cache_.Get({})->access_key_id, "1");
    clock_.Advance(age);
    fetching_ = std::async(std::launch::async, [this] { return cache_.Get({}); });
    while (held_.fetches < 2) std::this_thread::yield();
  }
  std::future<Result<Credentials>> GetInAnotherThread(std::stop_token stop = {}) {
    return std::async(std::launch::async,
                      [this, stop = std::move(stop)] { return cache_.Get(stop); });
  }
  static bool Ends(const std::future<Result<Credentials>>& call) {
    return call.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  }
  void TearDown() override {
    held_.released = true;
    held_.released.notify_all();
  }

  ManualClock clock_;
  std::unique_ptr<Held> provider_ = std::make_unique<Held>(clock_);
  Held& held_ = *provider_;
  CredentialsCache cache_{std::move(provider_), clock_};
  std::future<Result<Credentials>> fetching_;
};

TEST_F(SlowCredentialsTest, NobodyWaitsWhileTheOldOnesLast) {
  FetchAnew(std::chrono::minutes(56));
  auto other = GetInAnotherThread();
  const bool ended = Ends(other);
  TearDown();
  EXPECT_TRUE(ended);
  EXPECT_EQ(other.get()->access_key_id, "1");
  EXPECT_EQ(fetching_.get()->access_key_id, "2");
}

TEST_F(SlowCredentialsTest, WhoWaitsHearsTheOwnStop) {
  FetchAnew(std::chrono::minutes(61));
  std::stop_source stop;
  auto other = GetInAnotherThread(stop.get_token());
  auto patient = GetInAnotherThread();
  stop.request_stop();
  const bool ended = Ends(other);
  TearDown();
  EXPECT_TRUE(ended);
  EXPECT_EQ(other.get().error().code, ErrorCode::kCancelled);
  EXPECT_EQ(patient.get()->access_key_id, "2");
  EXPECT_EQ(held_.fetches, 2);
}

TEST_F(CredentialsCacheTest, ForgetsWhatWasRefused) {
  EXPECT_EQ(Get(), "1");
  cache_.Refuse("0");
  EXPECT_EQ(Get(), "1");
  cache_.Refuse("1");
  EXPECT_EQ(Get(), "2");
}

TEST_F(CredentialsCacheTest, DoubtsWhatIsNotNewButOnce) {
  EXPECT_EQ(Get(), "1");
  EXPECT_FALSE(cache_.Doubt("1")) << "just fetched";
  EXPECT_EQ(Get(), "1");
  clock_.Advance(CredentialsCache::kAskAgain);
  EXPECT_TRUE(cache_.Doubt("1"));
  EXPECT_EQ(Get(), "2");
  EXPECT_TRUE(cache_.Doubt("1")) << "there are others";
  EXPECT_EQ(Get(), "2");
}

TEST_F(CredentialsCacheTest, DoubtsOldOnesThatCameAgainUnasked) {
  repeats_ = true;
  EXPECT_EQ(Get(), "same");
  clock_.Advance(std::chrono::minutes(56));
  EXPECT_EQ(Get(), "same");
  ASSERT_EQ(fetched_, 2) << "shortly before their end";
  EXPECT_TRUE(cache_.Doubt("same")) << "they are an hour old";
  EXPECT_EQ(Get(), "same");
  EXPECT_EQ(fetched_, 3);
}

TEST_F(CredentialsCacheTest, DoubtsOldOnesAlthoughNewOnesCouldNotBeFetched) {
  EXPECT_EQ(Get(), "1");
  clock_.Advance(std::chrono::minutes(56));
  broken_ = true;
  EXPECT_EQ(Get(), "1");
  EXPECT_TRUE(cache_.Doubt("1"));
  EXPECT_EQ(Get(), "away");
}

TEST_F(CredentialsCacheTest, DoesNotDoubtAgainWhatADoubtBroughtBack) {
  repeats_ = true;
  EXPECT_EQ(Get(), "same");
  clock_.Advance(std::chrono::minutes(10));
  EXPECT_TRUE(cache_.Doubt("same"));
  EXPECT_EQ(Get(), "same");
  EXPECT_FALSE(cache_.Doubt("same")) << "whoever gives them out was just asked";
  clock_.Advance(CredentialsCache::kAskAgain);
  EXPECT_TRUE(cache_.Doubt("same"));
  EXPECT_EQ(Get(), "same");
  EXPECT_EQ(fetched_, 3);
}

}  // namespace
}  // namespace spillway::aws
