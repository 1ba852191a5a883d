#include <chrono>
#include <climits>
#include <map>

#include <fmt/format.h>

#include "storage/s3/client_fixture.h"
#include "storage/s3/join.h"
#include "storage/s3/s3_store.h"

namespace spillway::storage::s3 {
namespace {

using http::Answer;
using http::SeenRequest;
using testing::HasSubstr;

TEST_F(ClientTest, AJoinThatWasNotHeardIsNotMadeAgain) {
  const std::vector<ObjectRange> ranges = {{".spillway/jobs/j/a", 0, 4}};
  std::string mark;
  Script([&](int, const SeenRequest& request) -> Answer {
    if (request.method == "PUT") {
      mark = request.Header("x-amz-meta-spillway-compose");
      return CarriedOut(request);
    }
    if (request.method == "GET") return {.status = 206, .body = "text"};
    if (request.target == "/bucket/out") {
      return mark.empty() ? Answer{.status = 404}
                          : Answer{.headers = "x-amz-meta-spillway-compose: " + mark +
                                              "\r\nContent-Length: 4\r\n"};
    }
    return {.headers = "Content-Length: 4\r\n"};
  });
  auto store = S3Store::Open(*caller_, {}, Random(1)).value();
  ASSERT_TRUE(store->Compose("out", ranges, {}));
  const auto puts = [&] {
    return std::ranges::count(server_->seen(), std::string("PUT"), &SeenRequest::method);
  };
  ASSERT_EQ(puts(), 1);
  const auto again = store->Compose("out", ranges, {});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->bytes, 4u);
  EXPECT_EQ(puts(), 1);
}

TEST_F(ClientTest, AGroupOfPartsThatWasNotHeardIsFound) {
  std::map<std::string, std::string> marks;
  bool lost = false;
  Script([&](int, const SeenRequest& request) -> Answer {
    const std::string name = request.target.substr(0, request.target.find('?'));
    if (request.target.ends_with("?uploads=")) {
      for (const char* mark : {"x-amz-meta-spillway-join", "x-amz-meta-spillway-compose"})
        if (!request.Header(mark).empty())
          marks[name] = std::string(mark) + ": " + request.Header(mark);
      return {.body = "<R><UploadId>u</UploadId></R>"};
    }
    if (request.method == "HEAD") return {.headers = marks[name] + "\r\n"};
    if (request.method == "POST" && request.target.contains("uploadId") &&
        name == "/bucket/group1") {
      if (!std::exchange(lost, true)) return {.cut_after = -3};
      return Refuse(404, "NoSuchUpload");
    }
    if (request.target.contains("?delete")) return {.body = "<DeleteResult/>"};
    return CarriedOut(request);
  });
  const Extent extent{.range = {"a", 0, uint64_t{6} << 20}, .etag = ""};
  int groups = 0;
  const auto joined = Join(*client_, {.parts_in_flight = 1, .join = {.parts_max = 2}}, "k",
                           {extent, extent, extent}, {.metadata = {{"spillway-compose", "m"}}},
                           [&] { return "group" + std::to_string(++groups); });
  EXPECT_TRUE(joined) << joined.error().message;
  EXPECT_TRUE(lost);
}

TEST_F(ClientTest, AnUploadThatSomebodyAbortedIsNoMissingObject) {
  Script([](int, const SeenRequest&) { return Refuse(404, "NoSuchUpload"); });
  const Upload upload{.key = "k", .id = "u"};
  const auto lost = [](const auto& result) {
    return !result.has_value() && result.error().code == ErrorCode::kUnavailable &&
           result.error().retryable;
  };
  EXPECT_TRUE(lost(client_->UploadPart(upload, 1, kText)));
  EXPECT_TRUE(lost(client_->UploadPartCopy(upload, 1, {.range = {"a", 0, 9}})));
  EXPECT_TRUE(lost(client_->CompleteUpload(upload, {{1, "\"e\""}}, false, {{"mark", "m"}})));
  EXPECT_TRUE(client_->AbortUpload(upload));
}

TEST_F(ClientTest, OnlyWhatIsThereExistsAlready) {
  for (const bool there : {false, true}) {
    Script([&](int, const SeenRequest& request) {
      if (request.method == "HEAD") return Answer{.status = there ? 200 : 404};
      return Refuse(409, "SomethingElse");
    });
    const auto put = client_->Put("k", kText, {.if_absent = true});
    const auto completed = client_->CompleteUpload({.key = "k", .id = "u"}, {{1, "e"}}, true, {});
    for (const Result<>& result : {put, completed}) {
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().code, there ? ErrorCode::kAlreadyExists : ErrorCode::kUnavailable);
      EXPECT_THAT(result.error().message, HasSubstr("SomethingElse"));
    }
  }
}

/// A server that keeps objects, and heeds `If-None-Match` where it is told to.
Answer Keep(std::map<std::string, std::string>& kept, bool conditional,
            const SeenRequest& request) {
  if (request.method == "DELETE") {
    kept.erase(request.target);
    return {.status = 204};
  }
  if (request.method == "HEAD")
    return kept.contains(request.target)
               ? Answer{.headers = "x-amz-meta-spillway-write: " + kept[request.target] + "\r\n"}
               : Answer{.status = 404};
  if (request.method != "PUT") return {.body = "<ListBucketResult/>"};
  if (conditional && request.Header("if-none-match") == "*" && kept.contains(request.target))
    return Refuse(412, "PreconditionFailed");
  kept[request.target] = request.Header("x-amz-meta-spillway-write");
  return {};
}

TEST_F(ClientTest, NoticesAServerThatIgnoresConditions) {
  for (const bool conditional : {false, true}) {
    std::map<std::string, std::string> kept;
    Script([&](int, const SeenRequest& request) { return Keep(kept, conditional, request); });
    auto store = S3Store::Open(*caller_, {}, Random(1)).value();
    const auto proven = store->ProveCreateOnce();
    EXPECT_EQ(proven.has_value(), conditional);
    if (!proven) {
      EXPECT_EQ(proven.error().code, ErrorCode::kUnsupported);
      EXPECT_THAT(proven.error().message, HasSubstr("If-None-Match"));
    }
    EXPECT_TRUE(kept.empty());
    const size_t asked = server_->seen().size();
    EXPECT_EQ(store->ProveCreateOnce().has_value(), conditional);
    EXPECT_EQ(server_->seen().size() == asked, conditional) << "once proven is enough";
  }
}

TEST_F(ClientTest, CopiesAWholeObjectWithoutARange) {
  Script([](int, const SeenRequest& request) { return CarriedOut(request); });
  const Upload upload{.key = "k", .id = "u"};
  ASSERT_TRUE(client_->UploadPartCopy(upload, 1, {.range = {"a", 0, 9}, .object_bytes = 9}));
  ASSERT_TRUE(client_->UploadPartCopy(upload, 1, {.range = {"a", 0, 9}, .object_bytes = 10}));
  EXPECT_EQ(server_->seen()[0].Header("x-amz-copy-source-range"), "");
  EXPECT_EQ(server_->seen()[1].Header("x-amz-copy-source-range"), "bytes=0-8");
}

TEST_F(ClientTest, OneWholeObjectIsCopiedByOneRequest) {
  Script([](int, const SeenRequest& request) { return CarriedOut(request); });
  const Extent whole{.range = {"a", 0, 9}, .etag = "\"e\"", .object_bytes = 9};
  ASSERT_TRUE(Join(*client_, {}, "k", {whole}, {.metadata = {{"m", "1"}}}, nullptr));
  ASSERT_TRUE(Join(*client_, {}, "k", {whole}, {.tags = {{"t", "1"}}}, nullptr));
  ASSERT_EQ(server_->seen().size(), 2u);
  const SeenRequest first = server_->seen()[0];
  EXPECT_EQ(first.method + " " + first.target, "PUT /bucket/k");
  EXPECT_EQ(first.Header("x-amz-copy-source"), "/bucket/a");
  EXPECT_EQ(first.Header("x-amz-copy-source-if-match"), "\"e\"");
  EXPECT_EQ(first.Header("x-amz-metadata-directive"), "REPLACE");
  EXPECT_EQ(first.Header("x-amz-meta-m"), "1");
  EXPECT_EQ(first.Header("x-amz-tagging-directive"), "");
  EXPECT_EQ(server_->seen()[1].Header("x-amz-tagging-directive"), "REPLACE");
}

TEST_F(ClientTest, AnUploadThatMayBeCompletingIsNotAborted) {
  for (const bool heard : {false, true}) {
    Script([&](int, const SeenRequest& request) -> Answer {
      if (request.target.ends_with("?uploads=")) return {.body = "<R><UploadId>u1</UploadId></R>"};
      if (request.method == "DELETE") return {.status = 204};
      if (request.method == "PUT") return CarriedOut(request);
      // What comes after the lost answer does not say what the server does.
      return heard || requests_ % 2 == 0 ? Refuse(503, "SlowDown") : Answer{.cut_after = -3};
    });
    requests_ = 0;
    const Extent extent{.range = {"a", 0, uint64_t{6} << 20}};
    const auto joined = Join(*client_, {}, "k", {extent, extent}, {}, nullptr);
    ASSERT_FALSE(joined);
    EXPECT_TRUE(joined.error().retryable);
    EXPECT_EQ(server_->seen().back().method, heard ? "DELETE" : "POST");

    requests_ = 0;
    auto store = S3Store::Open(*caller_, {.part_bytes = 2}, Random(1)).value();
    auto writer = store->Create("k", Overwrite::kAllowed).value();
    ASSERT_TRUE(writer->Write(kText[0]));
    EXPECT_TRUE(writer->Finish().error().retryable);
    writer.reset();
    EXPECT_EQ(server_->seen().back().method, heard ? "DELETE" : "POST");
  }
}

class CopyTest : public ClientTest {
 protected:
  /// A server that has one object, and refuses to copy from the n-th part on.
  void Serve(uint64_t bytes, int refused_from) {
    Script([=, this](int, const SeenRequest& request) -> Answer {
      if (request.method == "HEAD")
        return {.headers = "ETag: \"e\"\r\nContent-Length: " + std::to_string(bytes) + "\r\n"};
      if (request.method == "DELETE") return {.status = 204};
      if (request.target.ends_with("?uploads=")) return {.body = "<R><UploadId>u1</UploadId></R>"};
      if (request.method == "PUT" && ++copied_ >= refused_from)
        return Refuse(412, "PreconditionFailed");
      return CarriedOut(request);
    });
  }

  std::atomic<int> copied_ = 0;
};

TEST_F(CopyTest, CopiesInPartsWhatOneRequestCannot) {
  const uint64_t bytes = (uint64_t{6} << 30) + 1;
  Serve(bytes, INT_MAX);
  const auto copied = Copy(*client_, {.parts_in_flight = 1}, "a", "k",
                           {.metadata = {{"m", "1"}}, .tags = {{"t", "1"}}});
  ASSERT_TRUE(copied) << copied.error().message;
  const std::vector<SeenRequest> seen = server_->seen();
  EXPECT_EQ(seen[1].Header("x-amz-meta-m"), "1");
  EXPECT_EQ(seen[1].Header("x-amz-tagging"), "t=1");
  uint64_t next = 0;
  for (size_t i = 2; i + 1 < seen.size(); ++i) {
    EXPECT_THAT(seen[i].target, HasSubstr(fmt::format("?partNumber={}&", i - 1)));
    EXPECT_EQ(seen[i].Header("x-amz-copy-source"), "/bucket/a");
    EXPECT_EQ(seen[i].Header("x-amz-copy-source-if-match"), "\"e\"");
    const std::string range = seen[i].Header("x-amz-copy-source-range");
    const std::string from = fmt::format("bytes={}-", next);
    ASSERT_TRUE(range.starts_with(from)) << range;
    const uint64_t end = std::stoull(range.substr(from.size())) + 1;
    EXPECT_LE(end - next, kMaxPartBytes);
    EXPECT_GE(end - next, kMinPartBytes);
    next = end;
  }
  EXPECT_EQ(next, bytes);
  EXPECT_EQ(seen.back().method, "POST");
  EXPECT_THAT(seen.back().body, HasSubstr("<PartNumber>7</PartNumber>"));
}

TEST_F(CopyTest, WhoseSourceChangesLeavesNothing) {
  for (const uint64_t bytes : {uint64_t{6} << 30, uint64_t{9}}) {
    copied_ = 0;
    const bool in_parts = bytes > kMaxPartBytes;
    Serve(bytes, in_parts ? 3 : 1);
    const auto copied = Copy(*client_, {}, "a", "k", {});
    ASSERT_FALSE(copied);
    EXPECT_EQ(copied.error().code, ErrorCode::kConflict);
    const SeenRequest last = server_->seen().back();
    EXPECT_EQ(last.method + " " + last.target,
              in_parts ? "DELETE /bucket/k?uploadId=u1" : "PUT /bucket/k");
  }
}

/// Takes everything, and remembers it.
class TakingTransport final : public http::HttpTransport {
 public:
  Result<http::Response> Send(const http::Request& request, const http::BodySink&,
                              std::stop_token) override {
    seen.push_back(request);
    return http::Response{.status = 200, .body = "<CompleteMultipartUploadResult/>"};
  }

  std::vector<http::Request> seen;
};

TEST_F(ClientTest, OverTlsABodyHasAChecksumOrItsDigest) {
  TakingTransport taking;
  Caller caller({.bucket = "b"}, taking, credentials_, clock_, 1, {});
  Client client(caller);
  const Upload copied{.key = "k", .id = "u"};
  Upload sent = copied;
  sent.checksums = true;
  ASSERT_TRUE(client.Put("k", kText, {}));
  ASSERT_TRUE(client.UploadPart(sent, 1, kText));
  ASSERT_TRUE(client.UploadPart(copied, 1, kText));
  ASSERT_TRUE(client.CompleteUpload(copied, {{1, "e"}}, false, {}));
  std::string unsigned_bodies;
  for (const http::Request& request : taking.seen) {
    const auto digest =
        std::ranges::find(request.headers, "x-amz-content-sha256", &http::Header::name);
    const bool is_signed = digest->value != aws::kUnsignedPayload;
    const bool has_checksum = std::ranges::find(request.headers, kChecksumHeader,
                                                &http::Header::name) != request.headers.end();
    EXPECT_NE(is_signed, has_checksum);
    unsigned_bodies += is_signed ? "-" : "u";
  }
  EXPECT_EQ(unsigned_bodies, "uu--");
}

TEST_F(ClientTest, WaitsForAServerThatCopiesAndForNoOther) {
  TakingTransport taking;
  Caller caller({.bucket = "b", .copy_timeout = std::chrono::seconds(700)}, taking, credentials_,
                clock_, 1, {});
  Client client(caller);
  const Upload upload{.key = "k", .id = "u"};
  static_cast<void>(client.UploadPartCopy(upload, 1, {.range = {"a", 0, 9}}));
  ASSERT_TRUE(client.CompleteUpload(upload, {{1, "e"}}, false, {}));
  ASSERT_TRUE(client.Put("k", kText, {}));
  ASSERT_EQ(taking.seen.size(), 3u);
  EXPECT_EQ(taking.seen[0].idle_timeout, std::chrono::seconds(700));
  EXPECT_EQ(taking.seen[1].idle_timeout, std::chrono::seconds(700));
  EXPECT_EQ(taking.seen[2].idle_timeout, std::chrono::seconds(0));
}

class SweepTest : public ClientTest {
 protected:
  /// The keys of uploads that a sweep of the prefix aborts, where there is one of this age.
  size_t Aborted(const std::string& prefix, const std::string& initiated, Sweep sweep) {
    Script([&](int, const SeenRequest& request) -> Answer {
      if (request.method == "DELETE") return {.status = 204};
      if (!request.target.contains("uploads=")) return {.body = "<ListBucketResult/>"};
      return {.body =
                  "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u</UploadId>"
                  "<Initiated>" +
                  initiated +
                  "</Initiated></Upload>"
                  "</ListMultipartUploadsResult>"};
    });
    auto store = S3Store::Open(*caller_, {.prefix = prefix}, Random(1)).value();
    const auto swept = store->SweepAbandoned(std::chrono::hours(24), sweep);
    const auto seen = server_->seen();
    return static_cast<size_t>(
        std::ranges::count(seen, std::string("DELETE"), &SeenRequest::method));
  }

  const std::string old_ = "2026-01-01T00:00:00.000Z";
};

TEST_F(SweepTest, LeavesWhatMayBeAnothersInAWholeBucket) {
  EXPECT_EQ(Aborted("exports", old_, Sweep::kRemoveOwn), 1u);
  EXPECT_EQ(Aborted("", old_, Sweep::kRemoveOwn), 0u);
  EXPECT_EQ(Aborted("", old_, Sweep::kRemove), 1u);
  EXPECT_EQ(Aborted("", old_, Sweep::kCount), 0u);
}

TEST_F(SweepTest, AnUploadWhoseAgeDoesNotReadIsNotOld) {
  EXPECT_EQ(Aborted("p", "2026-01-01T01:00:00+01:00", Sweep::kRemove), 1u);
  EXPECT_EQ(Aborted("p", "2027-01-15T09:00:00+01:00", Sweep::kRemove), 0u);
  EXPECT_EQ(Aborted("p", "yesterday", Sweep::kRemove), 0u);
  EXPECT_EQ(Aborted("p", "", Sweep::kRemove), 0u);
}

}  // namespace
}  // namespace spillway::storage::s3
