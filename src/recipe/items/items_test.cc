#include "recipe/items/items.h"

#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "storage/forwarding_store.h"
#include "storage/memory/memory_store.h"

namespace spillway::recipe::items {
namespace {

/// A writer that never finishes.
class FailingWriter final : public storage::ObjectWriter {
 public:
  Result<> Write(storage::Bytes /*bytes*/) override { return {}; }
  Result<storage::ObjectInfo> Finish() override {
    return Fail(ErrorCode::kUnavailable, "the store is away");
  }
};

/// Refuses the keys that a test names, or fails at the end of large files.
class RefusingStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  std::set<std::string, std::less<>> refused;
  std::optional<std::string> never_finishes;

  Result<std::unique_ptr<storage::ObjectWriter>> Create(std::string_view key,
                                                        storage::Overwrite overwrite) override {
    if (refused.contains(key)) {
      return Fail(ErrorCode::kPermissionDenied, fmt::format("{} cannot be written", key));
    }
    if (key == never_finishes) return std::make_unique<FailingWriter>();
    return ForwardingStore::Create(key, overwrite);
  }
};

class ItemsTest : public testing::Test {
 protected:
  File Written(std::string key, std::string_view text) {
    File file(store_, std::move(key));
    EXPECT_TRUE(file.Append(std::as_bytes(std::span(text))).has_value());
    EXPECT_TRUE(file.Finish().has_value());
    return file;
  }

  Item ItemOf(std::string key, std::string_view text) {
    Item item;
    item.files.push_back(Written(std::move(key), text));
    return item;
  }

  std::string At(std::string_view key) {
    const auto reader = store_.Open(key, {});
    if (!reader.has_value()) return "nothing";
    std::string text((*reader)->size(), ' ');
    EXPECT_TRUE((*reader)->ReadAt(0, std::as_writable_bytes(std::span(text))).has_value());
    return text;
  }

  ManualClock clock_;
  storage::MemoryPlace place_;
  storage::MemoryStore memory_{place_, clock_};
  RefusingStore store_{memory_};
};

TEST_F(ItemsTest, NothingIsInItsPlaceBeforeItIsPut) {
  std::vector<Item> items;
  items.push_back(ItemOf("a", "first"));
  const std::string large(File::kInMemoryMax + 1, 'x');
  items.push_back(ItemOf("large", large));
  EXPECT_EQ(At("a"), "nothing");
  EXPECT_EQ(At("large"), "nothing");

  const auto put = PutInPlace(store_, items);
  ASSERT_TRUE(put.has_value()) << put.error().message;
  EXPECT_EQ(put->size(), 2);
  EXPECT_EQ(At("a"), "first");
  EXPECT_EQ(At("large"), large);
  EXPECT_EQ(items[1].files[0].bytes(), large.size());
  EXPECT_EQ(items[1].files[0].sha256(), ToHex(Sha256Of(large)));
}

TEST_F(ItemsTest, AFileThatIsThereIsReplacedAndWhatIsStaleGoes) {
  std::vector<Item> before;
  before.push_back(ItemOf("a.csv", "old"));
  before.push_back(ItemOf("a.parquet", "old"));
  ASSERT_TRUE(PutInPlace(store_, before).has_value());

  std::vector<Item> items;
  items.push_back(ItemOf("a.csv", "new"));
  items[0].stale_keys = {"a.parquet", "never there"};
  ASSERT_TRUE(PutInPlace(store_, items)->at(0).has_value());
  EXPECT_EQ(At("a.csv"), "new");
  EXPECT_EQ(At("a.parquet"), "nothing");
}

TEST_F(ItemsTest, AnItemOfWhichAFileFailsKeepsWhatWasThereAndHindersNoOther) {
  std::vector<Item> before;
  before.push_back(ItemOf("a.parquet", "old"));
  ASSERT_TRUE(PutInPlace(store_, before).has_value());

  store_.refused = {"a.json"};
  std::vector<Item> items(1);
  items[0].files.push_back(Written("a.csv", "new"));
  items[0].files.push_back(Written("a.json", "new"));
  items[0].stale_keys = {"a.parquet"};
  items.push_back(ItemOf("b.csv", "other"));
  const auto put = PutInPlace(store_, items);
  ASSERT_TRUE(put.has_value()) << put.error().message;
  ASSERT_FALSE(put->at(0).has_value());
  EXPECT_EQ(put->at(0).error().message, "a.json cannot be written");
  EXPECT_EQ(At("a.parquet"), "old");
  EXPECT_TRUE(put->at(1).has_value());
  EXPECT_EQ(At("b.csv"), "other");
}

TEST_F(ItemsTest, WhereNoFileCanBePutTheStoreIsAtFault) {
  store_.refused = {"a", "b"};
  std::vector<Item> items;
  items.push_back(ItemOf("a", "1"));
  items.push_back(ItemOf("b", "2"));
  const auto put = PutInPlace(store_, items);
  ASSERT_FALSE(put.has_value());
  EXPECT_EQ(put.error().code, ErrorCode::kPermissionDenied);
}

TEST_F(ItemsTest, AStoreThatTakesNoSmallFileIsAtFaultThoughALargeOneIsThere) {
  store_.refused = {"a"};
  std::vector<Item> items;
  items.push_back(ItemOf("a", "1"));
  items.push_back(ItemOf("large", std::string(File::kInMemoryMax, 'x')));
  EXPECT_EQ(items[0].files[0].bytes_waiting(), 1U);
  EXPECT_EQ(items[1].files[0].bytes_waiting(), 0U);
  EXPECT_FALSE(PutInPlace(store_, items).has_value());
}

TEST_F(ItemsTest, ALargeFileThatFailsIsItsItemsFault) {
  store_.never_finishes = "large";
  std::vector<Item> items;
  items.push_back(ItemOf("a", "1"));
  items.push_back(ItemOf("large", std::string(File::kInMemoryMax, 'x')));
  const auto put = PutInPlace(store_, items);
  ASSERT_TRUE(put.has_value());
  EXPECT_TRUE(put->at(0).has_value());
  EXPECT_FALSE(put->at(1).has_value());
}

TEST_F(ItemsTest, AnItemWithoutFilesOnlyLosesWhatIsStale) {
  std::vector<Item> before;
  before.push_back(ItemOf("a", "old"));
  ASSERT_TRUE(PutInPlace(store_, before).has_value());
  std::vector<Item> items(1);
  items[0].stale_keys = {"a"};
  ASSERT_TRUE(PutInPlace(store_, items)->at(0).has_value());
  EXPECT_EQ(At("a"), "nothing");
}

}  // namespace
}  // namespace spillway::recipe::items
