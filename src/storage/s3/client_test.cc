#include "storage/s3/client.h"

#include "storage/s3/client_fixture.h"
#include "storage/s3/join.h"
#include "storage/s3/s3_store.h"
#include "storage/s3/s3_writer.h"

namespace spillway::storage::s3 {
namespace {

using http::Answer;
using http::SeenRequest;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

TEST_F(ClientTest, OutlastsAStormOfRefusals) {
  Script([](int n, const SeenRequest&) {
    return n < 6 ? Refuse(503, "SlowDown") : Answer{.body = ""};
  });
  const auto put = client_->Put("a b/+%ü", kText, {});
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_THAT(server_->seen(), SizeIs(7));
  EXPECT_EQ(server_->seen()[6].target, "/bucket/a%20b/%2B%25%C3%BC");
  EXPECT_EQ(server_->seen()[6].body, "text");
  // Signed again, later.
  EXPECT_NE(server_->seen()[0].Header("authorization"), server_->seen()[6].Header("authorization"));
}

TEST_F(ClientTest, RefusalsThatLastAreNotRetried) {
  struct Case {
    int status;
    std::string code;
    ErrorCode means;
    std::string says;
  };
  for (const Case& refused :
       {Case{501, "NotImplemented", ErrorCode::kUnsupported, "NotImplemented"},
        Case{403, "AccessDenied", ErrorCode::kPermissionDenied, "policy"},
        Case{403, "SignatureDoesNotMatch", ErrorCode::kPermissionDenied, "credentials are wrong"},
        Case{404, "NoSuchBucket", ErrorCode::kNotFound, "create the bucket"},
        Case{400, "AuthorizationHeaderMalformed", ErrorCode::kInvalidArgument,
             "set the region to eu-west-1"},
        Case{507, "XMinioStorageFull", ErrorCode::kOutOfSpace, "XMinioStorageFull"}}) {
    requests_ = 0;
    Script([&](int, const SeenRequest&) { return Refuse(refused.status, refused.code); });
    const auto put = client_->Put("k", kText, {});
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, refused.means) << refused.code;
    EXPECT_FALSE(put.error().retryable);
    EXPECT_THAT(put.error().message,
                AllOf(HasSubstr("PUT s3://bucket/k: " + refused.code + " (no & no)"),
                      HasSubstr(refused.says), Not(HasSubstr("\n"))));
    EXPECT_THAT(server_->seen(), SizeIs(1)) << refused.code;
  }
}

TEST_F(ClientTest, AnErrorInsideASuccessIsAnError) {
  Script([](int n, const SeenRequest&) {
    Answer answer = n == 0 ? Refuse(200, "InternalError") : Refuse(200, "AccessDenied");
    answer.body = "\n  " + answer.body.substr(answer.body.find("<Error>"));
    return answer;
  });
  const auto copied = client_->Copy({.range = {"a", 0, 4}}, "b", {});
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(server_->seen(), SizeIs(2));
}

/// What S3 sends of its answer while it still works on it: spaces, which keep the connection.
const std::string kStillWorking = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n   ";

TEST_F(ClientTest, R01ACompletionWhoseAnswerWasCutShortIsTriedAgain) {
  for (const std::string& body : {kStillWorking, std::string(), kStillWorking + "<CompleteMultip",
                                  std::string("<html>Bad gateway</html>")}) {
    requests_ = 0;
    Script([&](int n, const SeenRequest& request) {
      return n == 0 ? Answer{.body = body} : CarriedOut(request);
    });
    EXPECT_TRUE(client_->CompleteUpload({.key = "k", .id = "u"}, {{1, "\"e\""}}, false, {}));
    EXPECT_THAT(server_->seen(), SizeIs(2)) << body;
  }
}

TEST_F(ClientTest, R01ACompletionThatIsNeverAnsweredWholeFails) {
  Script([](int, const SeenRequest& request) -> Answer {
    if (request.method == "HEAD") return {.status = 404};
    return {.body = kStillWorking};
  });
  aws::CallRecord record;
  const auto completed =
      client_->CompleteUpload({.key = "k", .id = "u"}, {{1, "\"e\""}}, false, {}, &record);
  ASSERT_FALSE(completed);
  EXPECT_TRUE(completed.error().retryable);
  EXPECT_TRUE(record.unknown);
  EXPECT_THAT(completed.error().message, HasSubstr("cut short"));
}

TEST_F(ClientTest, R01ACopyWhoseAnswerWasCutShortIsTriedAgain) {
  Script([](int n, const SeenRequest& request) {
    return n == 0 ? Answer{.body = kStillWorking} : CarriedOut(request);
  });
  EXPECT_TRUE(client_->Copy({.range = {"a", 0, 4}}, "b", {}));
  EXPECT_THAT(server_->seen(), SizeIs(2));
}

TEST_F(ClientTest, ACompletionThatWasNotHeardIsFound) {
  Script([](int n, const SeenRequest& request) -> Answer {
    if (n == 0) return {.cut_after = -3};
    if (request.method == "HEAD") return {.headers = "X-Amz-Meta-Mark: mine\r\n"};
    return Refuse(404, "NoSuchUpload");
  });
  const Upload upload{.key = "k", .id = "u"};
  const auto completed = client_->CompleteUpload(upload, {{1, "\"e\""}}, false, {{"mark", "mine"}});
  EXPECT_TRUE(completed) << completed.error().message;
  requests_ = 0;
  const auto others = client_->CompleteUpload(upload, {{1, "\"e\""}}, false, {{"mark", "other"}});
  ASSERT_FALSE(others);
  EXPECT_THAT(others.error().message, HasSubstr("NoSuchUpload"));
}

TEST_F(ClientTest, AConditionalPutThatWasNotHeardIsFound) {
  Script([](int n, const SeenRequest& request) -> Answer {
    if (request.method == "HEAD") return {.headers = "x-amz-meta-mark: mine\r\n"};
    return n == 0 ? Answer{.cut_after = -3} : Refuse(412, "PreconditionFailed");
  });
  EXPECT_TRUE(client_->Put("k", kText, {.if_absent = true, .metadata = {{"mark", "mine"}}}));
  requests_ = 0;
  const auto taken = client_->Put("k", kText, {.if_absent = true, .metadata = {{"mark", "else"}}});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kAlreadyExists);
}

TEST_F(ClientTest, ASkewedClockIsPutRight) {
  for (const std::string method : {"PUT", "HEAD"}) {
    requests_ = 0;
    Script([](int n, const SeenRequest&) {
      const std::string now = "Date: Fri, 24 May 2030 00:00:00 GMT\r\n";
      return n == 0 ? Refuse(403, "RequestTimeTooSkewed", now) : Answer{.headers = now};
    });
    if (method == "PUT") {
      EXPECT_TRUE(client_->Put("k", kText, {}));
    } else {
      EXPECT_TRUE(client_->Head("k"));
    }
    ASSERT_THAT(server_->seen(), SizeIs(2));
    EXPECT_THAT(server_->seen()[1].Header("x-amz-date"), HasSubstr("20300524T0000"));
    EXPECT_THAT(server_->seen()[0].Header("x-amz-date"), HasSubstr("20270115T"));
  }
}

TEST_F(ClientTest, ExpiredCredentialsAreFetchedAgain) {
  for (const std::string code : {"ExpiredToken", "InvalidToken"}) {
    requests_ = 0;
    Script([&](int n, const SeenRequest&) { return n == 0 ? Refuse(400, code) : Answer{}; });
    EXPECT_TRUE(client_->Put("k", kText, {})) << code;
  }
}

TEST_F(ClientTest, ReadsAgainWhatWasCutShort) {
  Script([](int n, const SeenRequest&) {
    return Answer{.status = 206, .body = "0123456789", .cut_after = n < 2 ? n * 4 : -1};
  });
  std::string text(10, ' ');
  const auto got = client_->Get("k", 5, std::as_writable_bytes(std::span(text)), "\"e\"");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(text, "0123456789");
  EXPECT_THAT(server_->seen(), SizeIs(3));
  EXPECT_EQ(server_->seen()[0].Header("range"), "bytes=5-14");
  EXPECT_EQ(server_->seen()[0].Header("if-match"), "\"e\"");
}

TEST_F(ClientTest, AServerThatIgnoresTheRangeIsNoticed) {
  Script([](int, const SeenRequest&) { return Answer{.body = "0123456789"}; });
  std::string text(4, ' ');
  const auto got = client_->Get("k", 5, std::as_writable_bytes(std::span(text)), "");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kUnsupported);
}

TEST_F(ClientTest, AsksForEncryptionTagsAndChecksums) {
  encryption_ = {.kind = Encryption::Kind::kKms, .kms_key = "key", .bucket_key = true};
  Script([](int, const SeenRequest&) { return Answer{}; });
  ASSERT_TRUE(client_->Put("k", kText, {.metadata = {{"m", "1"}}, .tags = {{"a", "b c"}}}));
  const SeenRequest seen = server_->seen()[0];
  EXPECT_EQ(seen.Header("x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(seen.Header("x-amz-server-side-encryption-aws-kms-key-id"), "key");
  EXPECT_EQ(seen.Header("x-amz-server-side-encryption-bucket-key-enabled"), "true");
  EXPECT_EQ(seen.Header("x-amz-tagging"), "a=b%20c");
  EXPECT_EQ(seen.Header("x-amz-meta-m"), "1");
  EXPECT_EQ(seen.Header("x-amz-checksum-crc32c").size(), 8u);
  EXPECT_EQ(seen.Header("x-amz-content-sha256"),
            "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1");
}

TEST_F(ClientTest, DeleteAllNamesWhatStayed) {
  for (const std::string code : {"AccessDenied", "InternalError"}) {
    Script([&](int, const SeenRequest&) {
      return Answer{.body = "<DeleteResult><Error><Key>b</Key><Code>" + code +
                            "</Code><Message>no</Message></Error></DeleteResult>"};
    });
    const auto deleted = client_->DeleteAll(std::vector<std::string>{"a", "b"});
    ASSERT_FALSE(deleted);
    EXPECT_THAT(deleted.error().message, HasSubstr("DELETE s3://bucket/b: " + code + " (no)"));
    const bool denied = code == "AccessDenied";
    EXPECT_EQ(deleted.error().code,
              denied ? ErrorCode::kPermissionDenied : ErrorCode::kUnavailable);
    EXPECT_EQ(deleted.error().retryable, !denied);
    EXPECT_EQ(deleted.error().message.contains("allow s3:DeleteObject"), denied);
  }
}

TEST_F(ClientTest, SaysWhichActionIsNotAllowed) {
  const auto refused = [&](const std::string& action, const std::string& what, const auto& call) {
    for (const bool with_body : {true, false}) {
      Script([&](int, const SeenRequest&) {
        return with_body ? Refuse(403, "AccessDenied") : Answer{.status = 403};
      });
      const auto result = call();
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().code, ErrorCode::kPermissionDenied);
      EXPECT_THAT(result.error().message,
                  AllOf(testing::StartsWith(what), HasSubstr("; allow " + action + " in the ")));
    }
  };
  const Upload upload{.key = "k", .id = "u"};
  refused("s3:PutObject", "PUT s3://bucket/k: ", [&] { return client_->Put("k", kText, {}); });
  refused("s3:PutObject and s3:PutObjectTagging",
          "PUT s3://bucket/k: ", [&] { return client_->Put("k", kText, {.tags = {{"a", "b"}}}); });
  refused("s3:PutObject",
          "POST s3://bucket/k: ", [&] { return client_->CreateUpload("k", {}, true); });
  refused("s3:PutObject, and s3:GetObject on what is copied,", "PUT s3://bucket/k: ", [&] {
    return client_->UploadPartCopy(upload, 1, {.range = {"a", 0, 9}});
  });
  refused("s3:AbortMultipartUpload",
          "DELETE s3://bucket/k: ", [&] { return client_->AbortUpload(upload); });
  refused("s3:GetObject and s3:ListBucket",
          "HEAD s3://bucket/k: ", [&] { return client_->Head("k"); });
  std::string text(4, ' ');
  refused("s3:GetObject", "GET s3://bucket/k: ", [&] {
    return client_->Get("k", 0, std::as_writable_bytes(std::span(text)), "");
  });
  refused("s3:DeleteObject", "DELETE s3://bucket/k: ", [&] { return client_->Delete("k"); });
  refused("s3:DeleteObject",
          "POST s3://bucket/: ", [&] { return client_->DeleteAll(std::vector<std::string>{"k"}); });
  refused("s3:ListBucket", "GET s3://bucket/p/: ", [&] { return client_->List("p/", "", 9); });
  refused("s3:ListBucketMultipartUploads",
          "GET s3://bucket/p/: ", [&] { return client_->ListUploads("p/"); });
  refused("s3:GetObjectTagging", "GET s3://bucket/k: ", [&] { return client_->GetTags("k"); });
}

TEST_F(ClientTest, PutsTheBucketWhereTheServerWantsIt) {
  const auto link = [&](ClientOptions options) {
    Caller caller(std::move(options), transport_, credentials_, clock_, 1, {});
    const std::string url = Client(caller).PresignGet("a b", std::chrono::hours(1)).value();
    return url.substr(0, url.find('?'));
  };
  EXPECT_EQ(link({.bucket = "b", .region = "eu-west-1"}),
            "https://b.s3.eu-west-1.amazonaws.com/a%20b");
  EXPECT_EQ(link({.bucket = "b.c", .region = "eu-west-1"}),
            "https://s3.eu-west-1.amazonaws.com/b.c/a%20b");
  EXPECT_EQ(link({.bucket = "b", .region = "us-gov-west-1"}),
            "https://b.s3.us-gov-west-1.amazonaws.com/a%20b");
  // R02: AWS in China, and its other partitions, are in domains of their own.
  EXPECT_EQ(link({.bucket = "b", .region = "cn-north-1"}),
            "https://b.s3.cn-north-1.amazonaws.com.cn/a%20b");
  EXPECT_EQ(link({.bucket = "b", .region = "eusc-de-east-1"}),
            "https://b.s3.eusc-de-east-1.amazonaws.eu/a%20b");
  EXPECT_EQ(link({.bucket = "b", .endpoint = "https://host:443/", .path_style = true}),
            "https://host/b/a%20b");
  EXPECT_EQ(link({.bucket = "b", .endpoint = "http://host:9000"}), "http://b.host:9000/a%20b");
}

TEST(PartBytes, TenThousandPartsHoldTheLargestObject) {
  uint64_t bytes = 0;
  uint64_t largest = 0;
  for (int sent = 0; sent < kMaxParts; ++sent) {
    largest = std::max(largest, PartBytes(uint64_t{8} << 20, sent));
    bytes += PartBytes(uint64_t{8} << 20, sent);
  }
  EXPECT_GE(bytes, uint64_t{5} << 40);
  EXPECT_LE(largest, kMaxPartBytes);
  EXPECT_EQ(PartBytes(uint64_t{8} << 20, 999), uint64_t{8} << 20);
  EXPECT_EQ(PartBytes(uint64_t{8} << 20, 1000), uint64_t{16} << 20);
}

TEST_F(ClientTest, AnUploadThatFailsIsAborted) {
  Script([](int, const SeenRequest& request) {
    if (request.method == "GET") return Answer{.body = "<ListBucketResult></ListBucketResult>"};
    if (request.target.ends_with("?uploads="))
      return Answer{.body = "<R><UploadId>u1</UploadId></R>"};
    return request.method == "DELETE" ? Answer{.status = 204} : Refuse(403, "AccessDenied");
  });
  auto store = S3Store::OpenExisting(*caller_, {.part_bytes = 1000}, Random(1)).value();
  {
    auto writer = store->Create("k", Overwrite::kAllowed).value();
    const std::string text(5000, 'x');
    static_cast<void>(writer->Write(std::as_bytes(std::span(text))));
    EXPECT_EQ(writer->Finish().error().code, ErrorCode::kPermissionDenied);
  }
  EXPECT_EQ(server_->seen().back().method, "DELETE");
  EXPECT_EQ(server_->seen().back().target, "/bucket/k?uploadId=u1");
}

TEST_F(ClientTest, AJoinThatAGatewayDidNotWaitForIsNotAborted) {
  for (const bool refused : {true, false}) {
    Script([&](int, const SeenRequest& request) -> Answer {
      if (request.target.ends_with("?uploads=")) return {.body = "<R><UploadId>u1</UploadId></R>"};
      if (request.method == "DELETE") return {.status = 204};
      if (request.method == "PUT") return CarriedOut(request);
      return refused ? Refuse(403, "AccessDenied") : Answer{.status = 504, .body = "<html>"};
    });
    const Extent extent{.range = {"a", 0, uint64_t{6} << 20}, .etag = ""};
    const auto joined = Join(*client_, {}, "k", {extent, extent}, {}, [] { return "t"; });
    ASSERT_FALSE(joined);
    EXPECT_EQ(server_->seen().back().method, refused ? "DELETE" : "POST");
  }
}

TEST_F(ClientTest, AStopEndsAnAppendThatIsOnItsWay) {
  std::stop_source job;
  Script([&](int, const SeenRequest& request) {
    if (!request.target.contains("%21")) return Answer{.body = "<ListBucketResult/>"};
    job.request_stop();
    return Answer{.cut_after = -2};
  });
  auto store = S3Store::OpenExisting(*caller_, {}, Random(1)).value();
  auto stage = store->CreateStage(".spillway/jobs/j/a", {}).value();
  const auto appended = stage->Append(kText, job.get_token());
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, ErrorCode::kCancelled);
}

TEST_F(ClientTest, AStopEndsAJoinAndItsUpload) {
  std::stop_source job;
  Script([&](int, const SeenRequest& request) {
    if (request.target.ends_with("?uploads="))
      return Answer{.body = "<R><UploadId>u1</UploadId></R>"};
    if (request.method == "DELETE") return Answer{.status = 204};
    job.request_stop();
    return Answer{.cut_after = -2};
  });
  const Extent extent{.range = {"a", 0, uint64_t{6} << 20}, .etag = ""};
  Client client = client_->StoppedBy(job.get_token());
  const auto joined = Join(client, {}, "k", {extent, extent}, {}, [] { return "t"; });
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(server_->seen().back().target, "/bucket/k?uploadId=u1");
}

}  // namespace
}  // namespace spillway::storage::s3
