#include "storage/s3/s3_store.h"

#include <cstdlib>

#include "storage/s3/join.h"
#include "storage/s3/s3_stage.h"
#include "storage/s3/s3_store_fixture.h"

namespace spillway::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

StoreUnderTest WithOptions(const std::string& name, const S3StoreOptions& options) {
  return {.name = name, .make_place = [options] {
            const std::string bucket = Gateway().NewBucket();
            return [bucket, options]() -> std::unique_ptr<ObjectStore> {
              return std::make_unique<OwningStore>(bucket, options);
            };
          }};
}

const auto kStores =
    testing::Values(WithOptions("S3", {}), WithOptions("S3WithPrefix", {.prefix = "a b/ü"}));
const auto kNameOf = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(S3, ObjectStoreConformance, kStores, kNameOf);
INSTANTIATE_TEST_SUITE_P(S3, ObjectStoreStageConformance, kStores, kNameOf);

TEST_F(S3StoreTest, WritesInPartsAndLeavesNoUpload) {
  const std::string text = Letters(17'000'000, 1);
  auto writer = store_.Create("big", Overwrite::kNever).value();
  for (size_t at = 0; at < text.size(); at += 999'983)
    ASSERT_TRUE(
        writer->Write(BytesOf(text).subspan(at, std::min(text.size() - at, size_t{999'983}))));
  EXPECT_THAT(store_.client().ListUploads("").value(), SizeIs(1));
  ASSERT_TRUE(writer->Finish());
  EXPECT_TRUE(Get("big") == text);
  EXPECT_THAT(store_.client().ListUploads("").value(), IsEmpty());
  {
    auto dropped = store_.Create("dropped", Overwrite::kNever).value();
    ASSERT_TRUE(dropped->Write(BytesOf(text)));
    EXPECT_THAT(store_.client().ListUploads("").value(), SizeIs(1));
  }
  EXPECT_THAT(store_.client().ListUploads("").value(), IsEmpty());
}

TEST_F(S3StoreTest, AbortsAbandonedUploads) {
  ASSERT_TRUE(store_.client().CreateUpload("lost/1", {}, true));
  ASSERT_TRUE(store_.client().CreateUpload("lost/2", {}, false));
  EXPECT_EQ(store_.store().SweepAbandoned(std::chrono::hours(1), Sweep::kRemove).value(), 0u);
  EXPECT_EQ(store_.store().SweepAbandoned(std::chrono::seconds(-5), Sweep::kRemove).value(), 2u);
  EXPECT_THAT(store_.client().ListUploads("").value(), IsEmpty());
}

TEST_F(S3StoreTest, RemovesWhatIsUnfinishedBelowOnePrefix) {
  OwningStore below(bucket_, {.prefix = "p"});
  for (const char* key : {"p/job-1/file", "p/job-12/file", "job-1/file"})
    ASSERT_TRUE(store_.client().CreateUpload(key, {}, true));
  ASSERT_TRUE(below.store().RemoveUnfinished("job-1/"));
  std::vector<std::string> left;
  const auto uploads = store_.client().ListUploads("").value();
  for (const s3::Upload& upload : uploads) left.push_back(upload.key);
  EXPECT_THAT(left, testing::UnorderedElementsAre("p/job-12/file", "job-1/file"));
}

TEST_F(S3StoreTest, ALateUploadDoesNotTakeAPlace) {
  auto writer = store_.Create("key", Overwrite::kNever).value();
  ASSERT_TRUE(writer->Write(BytesOf(Letters(12'000'000, 1))));
  ASSERT_TRUE(Put("key", "first"));
  EXPECT_THAT(writer->Finish(), FailsWith(ErrorCode::kAlreadyExists));
  writer.reset();
  EXPECT_EQ(Get("key"), "first");
  EXPECT_THAT(store_.client().ListUploads("").value(), IsEmpty());
}

TEST_F(S3StoreTest, JoinsStagesOfSeveralProcesses) {
  auto first = store_.CreateStage(".spillway/jobs/j/a", {}).value();
  OwningStore other(bucket_, {});
  auto second = other.CreateStage(".spillway/jobs/j/b", {}).value();
  std::vector<ObjectRange> ranges;
  std::string expected;
  for (unsigned i = 0; i < 4; ++i) {
    // Long enough to be copied, and short enough to be read, in turns, with both in one join.
    const std::string text = Letters(i % 2 == 0 ? 6'000'000 : 1'000'003, i);
    ranges.push_back(Append(i == 2 ? *second : *first, text));
    expected += text;
  }
  const auto composed = store_.Compose("out", ranges, {});
  ASSERT_TRUE(composed) << composed.error().message;
  EXPECT_TRUE(Get("out") == expected);
  ASSERT_TRUE(store_.Remove(".spillway/jobs/j/a"));
  ASSERT_TRUE(store_.Remove(".spillway/jobs/j/b"));
  ASSERT_TRUE(other.Compose("out", ranges, {}));
  EXPECT_THAT(other.Compose("out", std::span(ranges).first(3), {}),
              FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(store_.List(".spillway/", "", 100).value(), IsEmpty());
  EXPECT_THAT(store_.client().ListUploads("").value(), IsEmpty());
}

TEST_F(S3StoreTest, JoinsMorePartsThanOneUploadTakes) {
  auto stage = store_.CreateStage(".spillway/jobs/j/a", {}).value();
  std::vector<ObjectRange> ranges;
  std::string expected;
  for (unsigned i = 0; i < 5; ++i) {
    const std::string text = Letters(5'300'000 + i, i);
    ranges.push_back(Append(*stage, text));
    expected += text;
  }
  const auto composed = store_.Compose("out", ranges, {});
  ASSERT_TRUE(composed) << composed.error().message;
  EXPECT_TRUE(Get("out") == expected);
  ASSERT_TRUE(store_.Remove(".spillway/jobs/j/a"));
  EXPECT_THAT(store_.List(".spillway/", "", 100).value(), IsEmpty());
}

TEST_F(S3StoreTest, AppendsWithoutTheirStageAreListedAndRemoved) {
  auto stage = store_.CreateStage(".spillway/jobs/j/a", {}).value();
  Append(*stage, "one");
  ASSERT_TRUE(store_.Remove(".spillway/jobs/j/a"));
  Append(*stage, "late");
  const auto listed = store_.List(".spillway/jobs/", "", 100).value();
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].key, ".spillway/jobs/j/a");
  EXPECT_EQ(listed[0].bytes, 4u);
  EXPECT_EQ(store_.Remove(listed[0].key).value(), 4u);
  EXPECT_THAT(store_.List(".spillway/", "", 100).value(), IsEmpty());
}

TEST_F(S3StoreTest, ListsPastWhatIsPrivate) {
  for (const std::string key : {"!", ".a", ".spillway/x", ".spillway/y", ".spillwayz", "b"})
    ASSERT_TRUE(Put(key, ""));
  std::vector<std::string> keys;
  while (true) {
    const auto next = store_.List("", keys.empty() ? "" : keys.back(), 1).value();
    if (next.empty()) break;
    keys.push_back(next[0].key);
  }
  EXPECT_THAT(keys, ElementsAre("!", ".a", ".spillwayz", "b"));
}

TEST_F(S3StoreTest, KeysOfEveryKindAndLength) {
  std::string long_key = std::string(200, 'a');
  while (long_key.size() < 1000) long_key += "/" + std::string(200, 'b');
  long_key += std::string(1024 - long_key.size(), 'c');
  for (const std::string& key : {std::string("a b+c%2Fd&e=f?g#h"), std::string("~!*'()$;:@,[]{}"),
                                 std::string("<x>&amp;"), long_key}) {
    ASSERT_TRUE(Put(key, key)) << key;
    EXPECT_EQ(Get(key), key);
    EXPECT_EQ(store_.List(key, "", 10).value().size(), 1u) << key;
    auto stage = store_.CreateStage(".spillway/" + key.substr(0, 200), {}).value();
    const std::vector<ObjectRange> ranges = {Append(*stage, key)};
    const auto composed = store_.Compose(key, ranges, {});
    ASSERT_TRUE(composed) << composed.error().message;
    EXPECT_EQ(Get(key), key);
  }
  EXPECT_THAT(store_.Create("\xff", Overwrite::kAllowed), FailsWith(ErrorCode::kInvalidArgument));
}

TEST_F(S3StoreTest, CopiesTagsAndLinks) {
  s3::Client& client = store_.client();
  const auto put_tagged =
      client.Put("a", {BytesOf("text")}, {.metadata = {{"m", "1"}}, .tags = {{"t", "ü +/@"}}});
  ASSERT_TRUE(put_tagged) << put_tagged.error().message;
  EXPECT_EQ(client.GetTags("a").value(), (s3::Tags{{"t", "ü +/@"}}));
  ASSERT_TRUE(client.Copy({.range = {"a", 0, 4}}, "b c", {.metadata = {{"n", "2"}}}));
  EXPECT_EQ(client.Head("b c").value()->metadata, (s3::Metadata{{"n", "2"}}));
  http::CurlTransport transport({});
  const std::string get = client.PresignGet("b c", std::chrono::minutes(5), "ä.csv").value();
  EXPECT_EQ(transport.Send({.url = get}, nullptr, {}).value().body, "text");
}

TEST_F(S3StoreTest, CopiesWholeAndInParts) {
  s3::Client& client = store_.client();
  const std::string text = Letters(17'000'001, 3);
  ASSERT_TRUE(client.Put("a", {BytesOf(text)}, {.metadata = {{"m", "1"}}, .tags = {{"t", "1"}}}));
  for (const uint64_t most : {uint64_t{10} << 20, uint64_t{1} << 30}) {
    const std::string name = "b c+%/" + std::to_string(most);
    const auto copied =
        s3::Copy(client, {.join = {.copy_bytes_max = most}}, "a", name,
                 {.content_type = "text/csv", .metadata = {{"n", "2"}}, .tags = {{"u", "2"}}});
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_TRUE(Get(name) == text);
    const s3::Metadata metadata = client.Head(name).value()->metadata;
    EXPECT_EQ(metadata.at("n"), "2");
    EXPECT_FALSE(metadata.contains("m"));
    EXPECT_EQ(client.GetTags(name).value(), (s3::Tags{{"u", "2"}}));
    EXPECT_THAT(client.Copy({.range = {"a", 0, text.size()}, .etag = "\"another\""}, name, {}),
                FailsWith(ErrorCode::kConflict));
    EXPECT_TRUE(Get(name) == text);
  }
  EXPECT_THAT(s3::Copy(client, {}, "none", "b", {}), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(client.ListUploads("").value(), IsEmpty());
}

TEST_F(S3StoreTest, DeletesManyAtOnce) {
  std::vector<std::string> keys;
  for (int i = 0; i < 1100; ++i) keys.push_back("k" + std::to_string(i));
  for (const std::string& key : {keys.front(), keys.back()}) ASSERT_TRUE(Put(key, "x"));
  ASSERT_TRUE(store_.client().DeleteAll(keys));
  EXPECT_THAT(store_.List("", "", 10).value(), IsEmpty());
}

TEST(S3Store, SaysWhatIsWrongWhenItIsOpened) {
  const auto open = [](s3::ClientOptions options, const std::string& secret) {
    options.retry_for = std::chrono::milliseconds(0);
    Footing footing(std::move(options), secret);
    const auto opened = S3Store::OpenExisting(footing.caller, {}, Random(1));
    return opened ? Error{} : opened.error();
  };
  const std::string bucket = Gateway().NewBucket();
  const Error missing = open(At("nowhere"), VersityGateway::kSecretKey);
  EXPECT_EQ(missing.code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.message, HasSubstr("create the bucket, or correct its name"));
  const Error wrong = open(At(bucket), "wrong");
  EXPECT_EQ(wrong.code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(wrong.message, HasSubstr("the credentials are wrong"));
  s3::ClientOptions away = At(bucket);
  away.endpoint = "http://127.0.0.1:1";
  EXPECT_TRUE(open(away, "").retryable);
}

TEST(S3Store, CopiesInPartsWhatTheServerDoesNotCopyWhole) {
  // 5 GiB unless set.
  VersityGateway gateway({"--copy-object-threshold", "12000000"});
  Footing footing({.bucket = gateway.NewBucket(), .endpoint = gateway.url(), .path_style = true});
  s3::Client client(footing.caller);
  const std::string text = Letters(17'000'001, 4);
  ASSERT_TRUE(client.Put("a", {BytesOf(text)}, {}));
  EXPECT_FALSE(client.Copy({.range = {"a", 0, text.size()}}, "b", {}));
  const auto copied =
      s3::Copy(client, {.join = {.copy_bytes_max = uint64_t{10} << 20}}, "a", "b", {});
  ASSERT_TRUE(copied) << copied.error().message;
  std::string read(text.size(), ' ');
  ASSERT_TRUE(client.Get("b", 0, std::as_writable_bytes(std::span(read)), ""));
  EXPECT_TRUE(read == text);
}

TEST(S3Store, TrustsTheGivenAuthorityOnly) {
  const ScratchDirectory folder;
  const std::string key = folder / "key.pem";
  const std::string certificate = folder / "certificate.pem";
  ASSERT_EQ(std::system(("openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=gateway "
                         "-addext subjectAltName=IP:127.0.0.1 -keyout " +
                         key + " -out " + certificate + " 2>/dev/null")
                            .c_str()),
            0);
  VersityGateway gateway({"--cert", certificate, "--key", key});
  const s3::ClientOptions options{
      .bucket = gateway.NewBucket(), .endpoint = gateway.url(), .path_style = true};
  Footing trusting(options, VersityGateway::kSecretKey, certificate);
  const auto store = S3Store::OpenExisting(trusting.caller, {}, Random(1));
  ASSERT_TRUE(store) << store.error().message;
  // Over TLS the payload is not signed.
  const auto put = (*store)->client().Put("a", {BytesOf("text")}, {});
  EXPECT_TRUE(put) << put.error().message;
  Footing strange(options);
  const auto refused = S3Store::OpenExisting(strange.caller, {}, Random(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.error().message, HasSubstr("certificate"));
}

}  // namespace
}  // namespace spillway::storage
