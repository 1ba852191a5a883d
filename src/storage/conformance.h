#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/object_store.h"

namespace spillway::storage {

/// Opens one place for objects, which is empty at first and removed with the last copy of the
/// opener. Each call opens the place as another process would.
using StoreOpener = std::function<std::unique_ptr<ObjectStore>()>;

/// What the suite (conformance.cc, stage_conformance.cc) runs on. The test of an implementation
/// adds
///   INSTANTIATE_TEST_SUITE_P(Name, ObjectStoreConformance, testing::Values(StoreUnderTest{...}));
/// and the same for ObjectStoreStageConformance where the store keeps its stages.
struct StoreUnderTest {
  std::string name;
  std::function<StoreOpener()> make_place;

  friend void PrintTo(const StoreUnderTest& store, std::ostream* out) { *out << store.name; }
};

class ObjectStoreConformance : public testing::TestWithParam<StoreUnderTest> {
 protected:
  static constexpr std::string_view kStageKey = ".spillway/jobs/j1/stage-1";

  static Bytes BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

  static void Put(ObjectStore& store, std::string_view key, std::string_view text,
                  Overwrite overwrite = Overwrite::kAllowed) {
    auto writer = store.Create(key, overwrite);
    ASSERT_TRUE(writer) << writer.error().message;
    ASSERT_TRUE((*writer)->Write(BytesOf(text)));
    auto info = (*writer)->Finish();
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->key, key);
    EXPECT_EQ(info->bytes, text.size());
  }

  /// The object's text, or the name of the error.
  static std::string Get(ObjectStore& store, std::string_view key) {
    auto reader = store.Open(key, {});
    if (!reader) return std::string(Name(reader.error().code));
    std::string text((*reader)->size(), '\0');
    auto got = (*reader)->ReadAt(0, std::as_writable_bytes(std::span(text)));
    if (!got) return std::string(Name(got.error().code));
    EXPECT_EQ(*got, text.size());
    return text;
  }

  static std::vector<std::string> Keys(ObjectStore& store, std::string_view prefix = "",
                                       std::string_view start_after = "", size_t limit = 1000) {
    std::vector<std::string> keys;
    auto listed = store.List(prefix, start_after, limit);
    EXPECT_TRUE(listed) << listed.error().message;
    if (!listed) return keys;
    for (const ObjectInfo& info : *listed) keys.push_back(info.key);
    return keys;
  }

  static ObjectRange Append(Stage& stage, std::string_view text) {
    const Bytes piece = BytesOf(text);
    auto range = stage.Append({&piece, 1}, {});
    EXPECT_TRUE(range) << range.error().message;
    return range.value_or(ObjectRange{});
  }

  std::unique_ptr<Stage> NewStage(std::string_view key = kStageKey) {
    auto stage = store_->CreateStage(key, {});
    EXPECT_TRUE(stage) << stage.error().message;
    return stage ? *std::move(stage) : nullptr;
  }

  /// Composes and expects to read `text` back.
  void ExpectComposed(std::string_view key, const std::vector<ObjectRange>& ranges,
                      std::string_view text) {
    auto info = store_->Compose(key, ranges, {});
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->key, key);
    EXPECT_EQ(info->bytes, text.size());
    EXPECT_EQ(Get(*store_, key), text);
  }

  StoreOpener open_ = GetParam().make_place();
  std::unique_ptr<ObjectStore> store_ = open_();
};

/// The cases that need stages kept by the store.
class ObjectStoreStageConformance : public ObjectStoreConformance {};

MATCHER_P(FailsWith, code, std::string("fails with ") + std::string(Name(code))) {
  if (arg.has_value()) return false;
  *result_listener << Name(arg.error().code) << ": " << arg.error().message;
  return arg.error().code == code && !arg.error().message.empty() &&
         arg.error().message.find('\n') == std::string::npos;
}

}  // namespace spillway::storage
