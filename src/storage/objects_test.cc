#include "storage/objects.h"

#include <set>

#include <gtest/gtest.h>

namespace spillway::storage {
namespace {

/// Keys without bytes. Its objects read shorter than they say they are.
class KeyStore final : public ObjectStore {
 public:
  class ShortReader final : public ObjectReader {
   public:
    uint64_t size() const override { return 4; }
    Result<size_t> ReadAt(uint64_t, std::span<std::byte>) override { return 3; }
  };

  Result<std::unique_ptr<ObjectReader>> Open(std::string_view, std::stop_token) override {
    return std::make_unique<ShortReader>();
  }
  Result<std::vector<ObjectInfo>> List(std::string_view prefix, std::string_view start_after,
                                       size_t limit) override {
    std::vector<ObjectInfo> page;
    for (const std::string& key : keys) {
      if (key > start_after && key.starts_with(prefix) && page.size() < limit)
        page.push_back({.key = key});
    }
    return page;
  }
  Result<uint64_t> Remove(std::string_view key) override { return keys.erase(std::string(key)); }

  Result<std::unique_ptr<ObjectWriter>> Create(std::string_view, Overwrite) override {
    return Fail(ErrorCode::kUnsupported, "");
  }
  Result<std::optional<ObjectInfo>> Head(std::string_view) override {
    return Fail(ErrorCode::kUnsupported, "");
  }
  Result<std::unique_ptr<Stage>> CreateStage(std::string_view,
                                             const std::optional<StageTarget>&) override {
    return Fail(ErrorCode::kUnsupported, "");
  }
  Result<> Sync(std::string_view) override { return {}; }
  Result<ObjectInfo> Compose(std::string_view, std::span<const ObjectRange>,
                             std::stop_token) override {
    return Fail(ErrorCode::kUnsupported, "");
  }

  std::set<std::string> keys;
};

TEST(ForEachObject, VisitsAllBelowThePrefixOnceThoughTheyAreRemoved) {
  KeyStore store;
  std::set<std::string> wanted;
  for (int i = 0; i < 2000; ++i) wanted.insert("a/" + std::to_string(i));
  store.keys = wanted;
  store.keys.insert("b");
  std::set<std::string> visited;
  const auto done = ForEachObject(store, "a/", [&](const ObjectInfo& object) -> Result<> {
    EXPECT_TRUE(visited.insert(object.key).second);
    TRY(store.Remove(object.key));
    return {};
  });
  EXPECT_TRUE(done);
  EXPECT_EQ(visited, wanted);
  EXPECT_EQ(store.keys, std::set<std::string>{"b"});
}

TEST(ForEachObject, EndsWithTheFirstError) {
  KeyStore store;
  store.keys = {"a", "b", "c"};
  int visits = 0;
  const auto failed = ForEachObject(store, "", [&](const ObjectInfo&) -> Result<> {
    if (++visits == 2) return Fail(ErrorCode::kCancelled, "enough");
    return {};
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "enough");
  EXPECT_EQ(visits, 2);
}

TEST(ReadWhole, ShortensNothing) {
  KeyStore store;
  const auto read = ReadWhole(store, "k");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace spillway::storage
