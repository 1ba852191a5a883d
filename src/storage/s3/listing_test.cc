#include "http/percent_encoding.h"
#include "storage/s3/client_fixture.h"
#include "storage/s3/s3_stage.h"
#include "storage/s3/s3_store.h"

namespace spillway::storage::s3 {
namespace {

using http::Answer;
using http::SeenRequest;

/// The value of a query's parameter, as it was sent; empty where there is none.
std::string Parameter(const SeenRequest& request, const std::string& name) {
  const std::string query = "&" + request.target.substr(request.target.find('?') + 1);
  const size_t at = query.find("&" + name + "=");
  if (at == std::string::npos) return {};
  const size_t begin = at + name.size() + 2;
  return query.substr(begin, query.find('&', begin) - begin);
}

std::string Entry(const std::string& key) {
  return "<Contents><Key>" + key +
         "</Key><Size>4</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>";
}

Answer Page(const std::string& entries, bool truncated, const std::string& token = "") {
  return {.body = "<ListBucketResult>" + entries + "<IsTruncated>" +
                  (truncated ? "true" : "false") + "</IsTruncated>" +
                  (token.empty() ? ""
                                 : "<NextContinuationToken>" + token + "</NextContinuationToken>") +
                  "</ListBucketResult>"};
}

/// At most two keys after `start-after`, however many were asked for.
Answer TwoOf(const std::vector<std::string>& keys, const SeenRequest& request) {
  const std::string after = Parameter(request, "start-after");
  std::string entries;
  int listed = 0;
  bool truncated = false;
  for (const std::string& key : keys) {
    if (http::PercentEncode(key) <= after) continue;
    truncated = ++listed > 2;
    if (truncated) break;
    entries += Entry(key);
  }
  return Page(entries, truncated);
}

class ListingTest : public ClientTest {
 protected:
  std::unique_ptr<S3Store> Store() { return S3Store::Open(*caller_, {}, Random(1)).value(); }

  std::vector<std::string> Keys(std::string_view prefix = "") {
    const auto listed = Store()->List(prefix, "", 100);
    if (!listed) return {listed.error().message};
    std::vector<std::string> keys;
    for (const ObjectInfo& info : *listed) keys.push_back(info.key);
    return keys;
  }
};

TEST_F(ListingTest, GoesOnAfterAPageThatWasCutShort) {
  const std::vector<std::string> keys = {"a", "b", "c", "d", "e"};
  Script([&](int, const SeenRequest& request) { return TwoOf(keys, request); });
  EXPECT_EQ(Keys(), keys);
}

TEST_F(ListingTest, GoesOnAfterAnEmptyPageThatWasCutShort) {
  Script([](int, const SeenRequest& request) {
    return Parameter(request, "continuation-token") == "t%2B1" ? Page(Entry("a"), false)
                                                               : Page("", true, "t+1");
  });
  EXPECT_EQ(Keys(), std::vector<std::string>{"a"});
}

TEST_F(ListingTest, EndsWhereTheServerDoesNotSayHowToGoOn) {
  Script([](int n, const SeenRequest&) { return n < 9 ? Page("", true) : Page("", false); });
  EXPECT_EQ(Store()->List("", "", 100).error().code, ErrorCode::kCorrupt);
  requests_ = 0;
  Script(
      [](int n, const SeenRequest&) { return n < 9 ? Page("", true, "same") : Page("", false); });
  EXPECT_EQ(Store()->List("", "", 100).error().code, ErrorCode::kCorrupt);
  requests_ = 0;
  Script([](int n, const SeenRequest&) { return Page(Entry("a"), n < 9); });
  EXPECT_EQ(Store()->List("", "", 100).error().code, ErrorCode::kCorrupt);
}

TEST_F(ListingTest, AStageHasAllItsAppends) {
  const std::string stage = ".spillway/jobs/j/a";
  const std::string id(16, 'f');
  const std::vector<std::string> appends = {AppendName(stage, id, 0), AppendName(stage, id, 4),
                                            AppendName(stage, id, 8)};
  Script([&](int, const SeenRequest& request) {
    if (request.method == "HEAD")
      return Answer{.headers = "x-amz-meta-spillway-stage: " + id + "\r\n"};
    return TwoOf(appends, request);
  });
  const auto reader = Store()->Open(stage, {});
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ((*reader)->size(), 12u);
}

/// C15: the figures of an expiry are counted from pages of stages.
TEST_F(ListingTest, ALimitDoesNotCutThroughAStage) {
  const std::string id(16, 'f');
  std::vector<std::string> keys;
  for (const std::string stage : {".spillway/jobs/j/a", ".spillway/jobs/j/b"}) {
    for (const uint64_t offset : {0U, 4U, 8U}) keys.push_back(AppendName(stage, id, offset));
  }
  Script([&](int, const SeenRequest& request) { return TwoOf(keys, request); });
  const auto first = Store()->List(".spillway/jobs/", "", 1);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ(first->front().key, ".spillway/jobs/j/a");
  EXPECT_EQ(first->front().bytes, 12U);
  const auto second = Store()->List(".spillway/jobs/", first->front().key, 1);
  ASSERT_TRUE(second.has_value()) << second.error().message;
  ASSERT_EQ(second->size(), 1U);
  EXPECT_EQ(second->front().key, ".spillway/jobs/j/b");
  EXPECT_EQ(second->front().bytes, 12U);
}

TEST_F(ListingTest, AnAnswerOfAnotherShapeIsNotNothing) {
  Script([](int, const SeenRequest&) { return Answer{.body = "<html><body>Hello</body></html>"}; });
  EXPECT_EQ(Store()->List("", "", 100).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(client_->ListUploads("").error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(client_->DeleteAll(std::vector<std::string>{"a"}));
  Script([](int, const SeenRequest&) { return Answer{.body = "Hello"}; });
  EXPECT_FALSE(client_->DeleteAll(std::vector<std::string>{"a"}));
}

TEST_F(ListingTest, UploadsEndWhereTheServerDoesNotSayHowToGoOn) {
  Script([](int n, const SeenRequest&) {
    return Answer{.body = std::string("<ListMultipartUploadsResult><IsTruncated>") +
                          (n < 9 ? "true" : "false") +
                          "</IsTruncated></ListMultipartUploadsResult>"};
  });
  EXPECT_EQ(client_->ListUploads("").error().code, ErrorCode::kCorrupt);
}

TEST_F(ListingTest, AKeyThatIsNotUtf8IsRefusedBeforeAnyRequest) {
  Script([](int, const SeenRequest&) { return Answer{.status = 404}; });
  for (const char* key : {"\xFF", "a/\xC3", "half a surrogate pair \xED\xA0\x80",
                          "too long a form \xE0\x80\xAF", "too large a number \xF4\x90\x80\x80"}) {
    EXPECT_EQ(Store()->Open(key, {}).error().code, ErrorCode::kInvalidArgument) << key;
  }
  EXPECT_EQ(requests_, 0);
}

}  // namespace
}  // namespace spillway::storage::s3
