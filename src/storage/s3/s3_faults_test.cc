#include <mutex>
#include <random>
#include <sstream>

#include "base/clock.h"
#include "http/curl_transport.h"
#include "http/scripted_server.h"
#include "storage/conformance.h"
#include "storage/s3/s3_store.h"
#include "storage/s3/versity_gateway.h"

namespace spillway::storage {
namespace {

using http::Answer;
using http::SeenRequest;
using s3::VersityGateway;
using testing::IsEmpty;

/// Stands before a gateway and loses requests, answers, and halves of answers, or refuses them.
class BadNetwork {
 public:
  BadNetwork(VersityGateway& gateway, unsigned seed)
      : gateway_(gateway),
        random_(seed),
        server_([this](const SeenRequest& request) { return Pass(request); }) {}

  std::string url() const { return server_.url(); }
  void Heal() {
    std::lock_guard lock(mutex_);
    healed_ = true;
  }
  int faults() {
    std::lock_guard lock(mutex_);
    return faults_;
  }

 private:
  enum class Fault { kNone, kLostRequest, kLostAnswer, kHalfAnswer, kRefusal };

  Fault Next() {
    std::lock_guard lock(mutex_);
    const unsigned dice = random_() % 100;
    const Fault fault = healed_ || dice >= 40 ? Fault::kNone
                        : dice < 10           ? Fault::kLostRequest
                        : dice < 22           ? Fault::kLostAnswer
                        : dice < 30           ? Fault::kHalfAnswer
                                              : Fault::kRefusal;
    if (fault != Fault::kNone) ++faults_;
    return fault;
  }

  Answer Pass(const SeenRequest& seen) {
    const Fault fault = Next();
    if (fault == Fault::kLostRequest) return {.cut_after = -3};
    if (fault == Fault::kRefusal)
      return {.status = 503, .body = "<Error><Code>SlowDown</Code></Error>"};
    http::Request request{.method = seen.method, .url = gateway_.url() + seen.target};
    std::istringstream lines(seen.head);
    for (std::string line; std::getline(lines, line);) {
      const size_t colon = line.find(": ");
      if (colon == std::string::npos || line.starts_with("content-length")) continue;
      request.headers.push_back(
          {line.substr(0, colon), line.substr(colon + 2, line.size() - colon - 3)});
    }
    request.body = {std::as_bytes(std::span(seen.body))};
    const auto response = transport_.Send(request, nullptr, {});
    if (!response || fault == Fault::kLostAnswer) return {.cut_after = -3};
    return Forward(*response, fault);
  }

  static Answer Forward(const http::Response& response, Fault fault) {
    Answer answer{.status = response.status, .body = response.body};
    for (const http::Header& header : response.headers) {
      if (header.name != "Connection" && header.name != "Transfer-Encoding")
        answer.headers += header.name + ": " + header.value + "\r\n";
    }
    if (fault == Fault::kHalfAnswer) answer.cut_after = static_cast<int>(answer.body.size() / 2);
    return answer;
  }

  VersityGateway& gateway_;
  std::mutex mutex_;
  std::mt19937 random_;  // guarded by mutex_
  bool healed_ = false;  // guarded by mutex_
  int faults_ = 0;       // guarded by mutex_
  http::CurlTransport transport_{{}};
  http::ScriptedServer server_;
};

class S3Faults : public testing::TestWithParam<unsigned> {
 protected:
  std::string Get(const std::string& key) {
    auto reader = store_->Open(key, {});
    if (!reader) return reader.error().message;
    std::string text((*reader)->size(), ' ');
    const auto got = (*reader)->ReadAt(0, std::as_writable_bytes(std::span(text)));
    return got ? text : got.error().message;
  }

  VersityGateway gateway_;
  BadNetwork network_{gateway_, GetParam()};
  SystemClock clock_;
  http::CurlTransport transport_{{}};
  aws::CredentialsCache credentials_{
      std::make_unique<aws::StaticCredentials>(
          aws::Credentials{.access_key_id = VersityGateway::kAccessKey,
                           .secret_access_key = Redacted(VersityGateway::kSecretKey)}),
      clock_};
  s3::Caller caller_{{.bucket = gateway_.NewBucket(),
                      .endpoint = network_.url(),
                      .path_style = true,
                      .backoff = std::chrono::milliseconds(1),
                      .backoff_max = std::chrono::milliseconds(20)},
                     transport_,
                     credentials_,
                     clock_,
                     GetParam(),
                     {}};
  std::unique_ptr<S3Store> store_ =
      S3Store::OpenExisting(
          caller_,
          {.part_bytes = uint64_t{5} << 20,
           // Every other time in groups.
           .join = {.parts_max = GetParam() % 2 == 0 ? 2 : size_t{s3::kMaxParts}}},
          Random(GetParam()))
          .value();
};

TEST_P(S3Faults, WritesOnceAndWhole) {
  for (const size_t bytes : {size_t{10}, size_t{11'000'000}}) {
    const std::string text(bytes, 'x');
    const std::string key = "k" + std::to_string(bytes);
    auto writer = store_->Create(key, Overwrite::kNever).value();
    ASSERT_TRUE(writer->Write(std::as_bytes(std::span(text))));
    const auto finished = writer->Finish();
    ASSERT_TRUE(finished) << finished.error().message;
    EXPECT_TRUE(Get(key) == text);
    auto late = store_->Create(key, Overwrite::kNever).value();
    EXPECT_THAT(late->Finish(), FailsWith(ErrorCode::kAlreadyExists));
  }
  network_.Heal();
  EXPECT_GT(network_.faults(), 0);
}

TEST_P(S3Faults, ComposesWholeAndLeavesNothing) {
  auto stage = store_->CreateStage(".spillway/jobs/j/a", {}).value();
  std::vector<ObjectRange> ranges;
  std::string expected;
  for (int i = 0; i < 6; ++i) {
    const std::string text(i % 3 == 0 ? 5'500'000 : 70'000, static_cast<char>('a' + i));
    const Bytes piece = std::as_bytes(std::span(text));
    const auto range = stage->Append({&piece, 1}, {});
    ASSERT_TRUE(range) << range.error().message;
    ranges.push_back(*range);
    expected += text;
  }
  const auto composed = store_->Compose("out", ranges, {});
  ASSERT_TRUE(composed) << composed.error().message;
  EXPECT_TRUE(Get("out") == expected);
  const auto removed = store_->Remove(".spillway/jobs/j/a");
  ASSERT_TRUE(removed) << removed.error().message;
  network_.Heal();
  EXPECT_THAT(store_->List(".spillway/", "", 10).value(), IsEmpty());
  // An upload whose beginning was not heard of was begun again.
  ASSERT_TRUE(store_->SweepAbandoned(std::chrono::seconds(-5), Sweep::kRemove));
  EXPECT_THAT(store_->client().ListUploads("").value(), IsEmpty());
  EXPECT_GT(network_.faults(), 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, S3Faults, testing::Range(1u, 11u));

}  // namespace
}  // namespace spillway::storage
