#include "manifest/manifest.h"

#include <array>
#include <functional>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/manual_clock.h"
#include "base/signing.h"
#include "storage/memory/memory_store.h"

namespace spillway::engine {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kFirst = "one\ntwo\n";
const std::string kSecond = "three\n";

ManifestPart PartOf(std::string_view bytes, uint64_t offset, int64_t rows) {
  return {.offset = offset, .bytes = bytes.size(), .rows = rows, .sha256 = ToHex(Sha256Of(bytes))};
}

Manifest MakeManifest() {
  Manifest manifest{
      .job_id = "task-1",
      .export_name = "messages",
      .recipe = "message_export",
      .tenant = "acme",
      .parameters = R"({"from":"2026-01-01"})",
      .source = R"({"rows":5})",
      .counts = {.planned = 5, .written = 3, .excluded = 1, .failed = 1, .bytes = 14}};
  manifest.files.push_back({.name = "messages.csv", .bytes = 14, .rows = 3});
  manifest.files[0].parts = {PartOf(kFirst, 0, 2), PartOf(kSecond, 8, 1)};
  manifest.errors.push_back({.key = "row 4", .classification = "excluded", .message = "too old"});
  manifest.errors.push_back({.key = "row 5", .classification = "corrupt", .message = "odd \"é"});
  return manifest;
}

TEST(Manifest, IsReadBack) {
  const Manifest manifest = MakeManifest();
  const Result<Manifest> read = ManifestFromJson(ToJson(manifest));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(ToJson(*read), ToJson(*ManifestFromJson(ToJson(*read))));
  EXPECT_EQ(read->job_id, "task-1");
  EXPECT_EQ(read->tenant, "acme");
  EXPECT_EQ(read->parameters, manifest.parameters);
  EXPECT_EQ(read->source, manifest.source);
  EXPECT_EQ(read->counts, manifest.counts);
  ASSERT_EQ(read->files.size(), 1U);
  EXPECT_EQ(read->files[0].parts[1].offset, 8U);
  EXPECT_EQ(read->errors[1].message, "odd \"é");
}

/// Changes one thing in the JSON of a good manifest.
struct Tampering {
  const char* what;
  std::function<void(ordered_json&)> change;
};

TEST(Manifest, WhatDoesNotAddUpIsRefused) {
  const std::vector<Tampering> tamperings = {
      {"planned", [](auto& json) { json["counts"]["planned"] = 6; }},
      {"written", [](auto& json) { json["counts"]["written"] = 4; }},
      {"written and planned",
       [](auto& json) { json["counts"]["written"] = 4, json["counts"]["planned"] = 6; }},
      {"excluded", [](auto& json) { json["counts"]["excluded"] = 0; }},
      {"failed", [](auto& json) { json["counts"]["failed"] = 2; }},
      {"bytes", [](auto& json) { json["counts"]["bytes"] = 13; }},
      {"negative", [](auto& json) { json["counts"]["planned"] = -5; }},
      {"fraction", [](auto& json) { json["counts"]["planned"] = 5.5; }},
      {"beyond 2^53", [](auto& json) { json["counts"]["planned"] = (uint64_t{1} << 53) + 1; }},
      {"file bytes", [](auto& json) { json["files"][0]["bytes"] = 15; }},
      {"file rows", [](auto& json) { json["files"][0]["rows"] = 2; }},
      {"part bytes", [](auto& json) { json["files"][0]["parts"][0]["bytes"] = 9; }},
      {"part rows", [](auto& json) { json["files"][0]["parts"][0]["rows"] = 1; }},
      {"part offset", [](auto& json) { json["files"][0]["parts"][1]["offset"] = 9; }},
      {"a part less", [](auto& json) { json["files"][0]["parts"].erase(1); }},
      {"a part twice",
       [](auto& json) { json["files"][0]["parts"].push_back(json["files"][0]["parts"][1]); }},
      {"a file less", [](auto& json) { json["files"] = ordered_json::array(); }},
      {"a file twice", [](auto& json) { json["files"].push_back(json["files"][0]); }},
      {"version", [](auto& json) { json["spillway_manifest"] = 2; }},
      {"no job", [](auto& json) { json.erase("job"); }},
      {"no counts", [](auto& json) { json.erase("counts"); }},
      {"no errors", [](auto& json) { json.erase("errors"); }},
      {"tenant is a number", [](auto& json) { json["job"]["tenant"] = 7; }},
      {"files is a text", [](auto& json) { json["files"] = "none"; }},
  };
  for (const Tampering& tampering : tamperings) {
    ordered_json json = ordered_json::parse(ToJson(MakeManifest()));
    tampering.change(json);
    const Result<Manifest> read = ManifestFromJson(json.dump());
    ASSERT_FALSE(read.has_value()) << tampering.what;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt) << tampering.what;
    EXPECT_THAT(read.error().message, HasSubstr("the manifest")) << tampering.what;
    EXPECT_EQ(read.error().message.find('\n'), std::string::npos) << tampering.what;
  }
}

TEST(Manifest, CountsItemsWhereItsFilesNameThem) {
  Manifest manifest = MakeManifest();
  manifest.files[0].item = "a";
  manifest.files.push_back(manifest.files[0]);
  manifest.files[1].name = "messages.csv.gz";
  manifest.counts = {.planned = 1, .written = 1, .bytes = 28};
  manifest.errors.clear();
  manifest.levels_up = 1;
  const Result<Manifest> read = ManifestFromJson(ToJson(manifest));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->files[1].item, "a");
  EXPECT_EQ(BaseOf(*read, "manifests/task-1").value(), "manifests");
  EXPECT_EQ(BaseOf(*read, "task-1").value(), "");
  EXPECT_FALSE(BaseOf(*read, "").has_value());

  manifest.files[1].item = "b";
  EXPECT_FALSE(ManifestFromJson(ToJson(manifest)).has_value()) << "two items, but one counted";
  manifest.counts = {.planned = 2, .written = 2, .bytes = 28};
  EXPECT_TRUE(ManifestFromJson(ToJson(manifest)).has_value());
  manifest.files[1].item = "";
  EXPECT_FALSE(ManifestFromJson(ToJson(manifest)).has_value()) << "rows and items mixed";
}

TEST(Manifest, NamesStayBelowItsDirectory) {
  for (const char* name : {"", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/./b", "a/"}) {
    ordered_json json = ordered_json::parse(ToJson(MakeManifest()));
    json["files"][0]["name"] = name;
    const Result<Manifest> read = ManifestFromJson(json.dump());
    ASSERT_FALSE(read.has_value()) << name;
    EXPECT_THAT(read.error().message, HasSubstr("outside its directory")) << name;
  }
  ordered_json json = ordered_json::parse(ToJson(MakeManifest()));
  json["files"][0]["name"] = std::string("a\0b", 3);
  EXPECT_FALSE(ManifestFromJson(json.dump()).has_value());
  json["files"][0]["name"] = "day=1/..a/messages.csv";
  EXPECT_TRUE(ManifestFromJson(json.dump()).has_value());
}

TEST(Manifest, TextThatIsNoUtf8IsReplaced) {
  Manifest manifest = MakeManifest();
  manifest.errors[0].key =
      "a\xff"
      "b";
  const Result<Manifest> read = ManifestFromJson(ToJson(manifest));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->errors[0].key,
            "a\xEF\xBF\xBD"
            "b");
}

TEST(Manifest, NestingHasItsLimit) {
  ordered_json json = ordered_json::parse(ToJson(MakeManifest()));
  const std::string whole = json.dump();
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  std::string tampered = whole;
  tampered.replace(whole.find(R"({"rows":5})"), 10, deep);
  EXPECT_THAT(ManifestFromJson(tampered).error().message, HasSubstr("nested too deep"));
}

TEST(Manifest, SumsDoNotOverflow) {
  ordered_json json = ordered_json::parse(ToJson(MakeManifest()));
  const uint64_t most = uint64_t{1} << 53;
  json["files"][0]["parts"][0]["rows"] = most;
  for (int i = 0; i < 2'000; ++i) {
    json["files"][0]["parts"].push_back(
        {{"offset", 14}, {"bytes", 0}, {"rows", most}, {"sha256", ""}});
  }
  EXPECT_THAT(ManifestFromJson(json.dump()).error().message, HasSubstr("more than there can be"));
}

TEST(Manifest, AnyTruncationIsRefused) {
  const std::string whole = ToJson(MakeManifest());
  for (size_t bytes = 0; bytes + 2 < whole.size(); ++bytes) {
    EXPECT_FALSE(ManifestFromJson(whole.substr(0, bytes)).has_value()) << bytes;
  }
}

class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    Put("manifest.json", text_);
    Put("messages.csv", kFirst + kSecond);
  }

  void Put(const std::string& name, std::string_view text) {
    auto writer = *store_.Create("out/" + name, storage::Overwrite::kAllowed);
    ASSERT_TRUE(writer->Write(std::as_bytes(std::span(text))).has_value());
    ASSERT_TRUE(writer->Finish().has_value());
  }

  std::vector<std::string> Problems(const VerifyingKey* key = nullptr) {
    const Result<Verification> found = Verify(store_, "out", key, {});
    return found.has_value() ? found->problems : std::vector<std::string>{found.error().message};
  }

  ManualClock clock_;
  storage::MemoryPlace place_;
  storage::MemoryStore store_{place_, clock_};
  const std::string text_ = ToJson(MakeManifest());
  const SigningKey key_{std::array<uint8_t, 32>{1}};
  const VerifyingKey verifying_key_ = key_.verifying_key();
};

TEST_F(VerifyTest, AWholeExportHasNoProblems) {
  uint64_t bytes = 0;
  const Result<Verification> found =
      Verify(store_, "out", nullptr, [&](uint64_t more, uint64_t /*total*/) { bytes += more; });
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(found->problems, IsEmpty());
  EXPECT_EQ(found->key_id, "");
  EXPECT_EQ(bytes, 14U);
}

TEST_F(VerifyTest, FindsAMissingFile) {
  ASSERT_TRUE(store_.Remove("out/messages.csv").has_value());
  EXPECT_THAT(Problems(), ElementsAre("messages.csv: is missing"));
}

TEST_F(VerifyTest, FindsAShortFile) {
  Put("messages.csv", kFirst + "thr");
  EXPECT_THAT(Problems(), ElementsAre("messages.csv: has 11 bytes, not 14",
                                      HasSubstr("messages.csv: bytes 8 to 14 are not those")));
}

TEST_F(VerifyTest, FindsAnyChangedByteAndSaysInWhichPart) {
  for (size_t at = 0; at < kFirst.size() + kSecond.size(); ++at) {
    std::string bytes = kFirst + kSecond;
    bytes[at] ^= 1;
    Put("messages.csv", bytes);
    EXPECT_THAT(Problems(),
                ElementsAre(HasSubstr(at < kFirst.size() ? "bytes 0 to 8" : "bytes 8 to 14")));
  }
}

TEST_F(VerifyTest, FindsBytesTooMany) {
  Put("messages.csv", kFirst + kSecond + "more");
  EXPECT_THAT(Problems(), ElementsAre("messages.csv: has 18 bytes, not 14"));
}

TEST_F(VerifyTest, AKeyRequiresItsSignatureOverTheseBytes) {
  EXPECT_THAT(Problems(&verifying_key_),
              ElementsAre("manifest.json: is not signed, but a key was given"));
  Put("manifest.json.sig", key_.Sign(text_));
  EXPECT_THAT(Problems(&verifying_key_), IsEmpty());
  Put("manifest.json.sig", key_.Sign(text_ + " "));
  EXPECT_THAT(Problems(&verifying_key_), ElementsAre(HasSubstr("signature")));
  Put("manifest.json.sig", SigningKey(std::array<uint8_t, 32>{2}).Sign(text_));
  EXPECT_THAT(Problems(&verifying_key_), ElementsAre(HasSubstr("signature")));
}

TEST_F(VerifyTest, ASignatureAloneIsSeenButNotJudged) {
  Put("manifest.json.sig", key_.Sign(text_));
  const Result<Verification> found = Verify(store_, "out", nullptr, {});
  EXPECT_EQ(found->key_id, verifying_key_.id());
  EXPECT_FALSE(found->verified);
  EXPECT_TRUE(Verify(store_, "out", &verifying_key_, {})->verified);
  Put("manifest.json.sig", "no signature");
  EXPECT_THAT(Problems(), ElementsAre("manifest.json.sig: is no signature"));
}

TEST_F(VerifyTest, WithoutAManifestThereIsNoExport) {
  EXPECT_EQ(Verify(store_, "elsewhere", nullptr, {}).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace spillway::engine
