#include "storage/conformance.h"

#include <algorithm>
#include <mutex>
#include <ranges>
#include <thread>

#include <fmt/format.h>

#include "storage/links.h"
#include "storage/maintenance.h"

namespace spillway::storage {

TEST_P(ObjectStoreConformance, ReadsBackWhatWasWritten) {
  auto writer = store_->Create("a/b.txt", Overwrite::kNever);
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->Write(BytesOf("hello ")));
  ASSERT_TRUE((*writer)->Write({}));
  ASSERT_TRUE((*writer)->Write(BytesOf("world")));
  const auto info = (*writer)->Finish();
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->bytes, 11u);
  EXPECT_EQ(Get(*store_, "a/b.txt"), "hello world");
  EXPECT_EQ(Get(*open_(), "a/b.txt"), "hello world");
}

TEST_P(ObjectStoreConformance, KeepsEveryByteValueAndLargeObjects) {
  std::string text;
  for (int i = 0; i < 5'000'000; ++i) text += static_cast<char>(i * 31 + (i >> 8));
  Put(*store_, "large", text);
  EXPECT_TRUE(Get(*store_, "large") == text);
}

TEST_P(ObjectStoreConformance, KeepsAnEmptyObject) {
  Put(*store_, "empty", "");
  EXPECT_EQ(Get(*store_, "empty"), "");
  const auto head = store_->Head("empty");
  ASSERT_TRUE(head && *head);
  EXPECT_EQ((*head)->bytes, 0u);
}

TEST_P(ObjectStoreConformance, ShowsNothingBeforeFinish) {
  auto writer = store_->Create("late", Overwrite::kNever);
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->Write(BytesOf("half")));
  EXPECT_EQ(Get(*store_, "late"), "not_found");
  EXPECT_EQ(*store_->Head("late"), std::nullopt);
  EXPECT_THAT(Keys(*store_), testing::IsEmpty());
}

TEST_P(ObjectStoreConformance, AnUnfinishedWriterLeavesNothing) {
  {
    auto writer = store_->Create("aborted/half", Overwrite::kNever);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->Write(BytesOf("half")));
  }
  EXPECT_EQ(Get(*store_, "aborted/half"), "not_found");
  EXPECT_THAT(Keys(*store_), testing::IsEmpty());
  EXPECT_THAT(Keys(*store_, ".spillway/"), testing::IsEmpty());
}

TEST_P(ObjectStoreConformance, FinishesOnce) {
  auto writer = store_->Create("once", Overwrite::kAllowed);
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->Write(BytesOf("1")));
  ASSERT_TRUE((*writer)->Finish());
  EXPECT_FALSE((*writer)->Finish());
  EXPECT_FALSE((*writer)->Write(BytesOf("2")));
  EXPECT_EQ(Get(*store_, "once"), "1");
}

TEST_P(ObjectStoreConformance, OverwritesWhenAllowedAndReadersKeepTheOld) {
  Put(*store_, "key", "old");
  auto reader = store_->Open("key", {});
  ASSERT_TRUE(reader);
  Put(*store_, "key", "newer");
  EXPECT_EQ(Get(*store_, "key"), "newer");
  std::string text(3, '\0');
  const auto got = (*reader)->ReadAt(0, std::as_writable_bytes(std::span(text)));
  // A store may also refuse to go on with an object that was replaced, but never mix the two.
  EXPECT_TRUE(!got || text == "old") << text;
}

TEST_P(ObjectStoreConformance, NeverOverwritesWhenNotAllowed) {
  Put(*store_, "key", "first");
  auto late = store_->Create("key", Overwrite::kNever);
  const auto finished =
      late ? (*late)->Finish() : Result<ObjectInfo>(std::unexpected(late.error()));
  EXPECT_THAT(finished, FailsWith(ErrorCode::kAlreadyExists));
  EXPECT_EQ(Get(*store_, "key"), "first");
}

TEST_P(ObjectStoreConformance, OneOfManyRacingWritersWins) {
  constexpr int kWriters = 8;
  std::vector<std::unique_ptr<ObjectWriter>> writers;
  for (int i = 0; i < kWriters; ++i) {
    auto writer = store_->Create("race/key", Overwrite::kNever);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->Write(BytesOf(std::to_string(i))));
    writers.push_back(*std::move(writer));
  }
  std::vector<std::string> outcomes(kWriters);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&, i] {
        const auto finished = writers[i]->Finish();
        outcomes[i] = finished ? "won" : Name(finished.error().code);
      });
    }
  }
  EXPECT_EQ(std::ranges::count(outcomes, "won"), 1);
  EXPECT_EQ(std::ranges::count(outcomes, "already_exists"), kWriters - 1);
  EXPECT_EQ(Get(*store_, "race/key"),
            std::to_string(std::ranges::find(outcomes, "won") - outcomes.begin()));
}

TEST_P(ObjectStoreConformance, CreatesAndRemovesInOneFolderAtOnce) {
  const auto churn = [&](int thread) {
    for (int i = 0; i < 50; ++i) {
      const std::string key = fmt::format("deep/er/{}-{}", thread, i);
      Put(*store_, key, key);
      EXPECT_EQ(Get(*store_, key), key);
      const auto removed = store_->Remove(key);
      EXPECT_TRUE(removed) << removed.error().message;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) threads.emplace_back(churn, thread);
  }
  EXPECT_THAT(Keys(*store_), testing::IsEmpty());
}

TEST_P(ObjectStoreConformance, PutsManyAtOnce) {
  Put(*store_, "days/3/file", "an older one");
  std::vector<std::string> texts;
  for (int i = 0; i < 300; ++i) texts.push_back("text " + std::to_string(i * i));
  std::vector<NewObject> objects;
  for (int i = 0; i < 300; ++i) {
    objects.push_back({"days/" + std::to_string(i) + "/file", BytesOf(texts[i])});
  }
  const auto put = store_->PutMany(objects);
  ASSERT_EQ(put.size(), objects.size());
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(put[i]) << put[i].error().message;
    EXPECT_EQ(put[i]->key, objects[i].key);
    EXPECT_EQ(put[i]->bytes, texts[i].size());
    EXPECT_EQ(Get(*store_, objects[i].key), texts[i]);
  }
  EXPECT_EQ(Keys(*store_, ".spillway/"), std::vector<std::string>{});
}

TEST_P(ObjectStoreConformance, OneOfManyThatCannotBePutHindersNoOther) {
  std::vector<NewObject> objects;
  for (const char* key : {"a", "b/../c", "d", "e", "f", "g"})
    objects.push_back({key, BytesOf("x")});
  const auto put = store_->PutMany(objects);
  ASSERT_EQ(put.size(), objects.size());
  EXPECT_THAT(put[1], FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_EQ(Keys(*store_), (std::vector<std::string>{"a", "d", "e", "f", "g"}));
  EXPECT_TRUE(store_->PutMany({}).empty());
}

TEST_P(ObjectStoreConformance, ReadsAnyPart) {
  Put(*store_, "digits", "0123456789");
  auto reader = store_->Open("digits", {});
  ASSERT_TRUE(reader);
  EXPECT_EQ((*reader)->size(), 10u);
  const auto read = [&](uint64_t offset, size_t bytes) {
    std::string text(bytes, '\0');
    text.resize((*reader)->ReadAt(offset, std::as_writable_bytes(std::span(text))).value());
    return text;
  };
  EXPECT_EQ(read(0, 10), "0123456789");
  EXPECT_EQ(read(3, 4), "3456");
  EXPECT_EQ(read(8, 5), "89");
  EXPECT_EQ(read(10, 5), "");
  EXPECT_EQ(read(uint64_t{1} << 60, 5), "");
  EXPECT_EQ(read(4, 0), "");
}

TEST_P(ObjectStoreConformance, TellsWhatIsNotThere) {
  EXPECT_EQ(Get(*store_, "none"), "not_found");
  EXPECT_EQ(Get(*store_, "no/ne"), "not_found");
  EXPECT_EQ(*store_->Head("none"), std::nullopt);
  EXPECT_EQ(*store_->Head("no/ne"), std::nullopt);
  EXPECT_EQ(store_->Remove("none").value(), 0u);
  EXPECT_EQ(store_->Remove("no/ne").value(), 0u);
  Put(*store_, "a/b", "");
  EXPECT_EQ(*store_->Head("a"), std::nullopt);
  EXPECT_EQ(Get(*store_, "a"), "not_found");
  EXPECT_EQ(store_->Remove("a").value(), 0u);
  EXPECT_EQ(Get(*store_, "a/b"), "");
}

TEST_P(ObjectStoreConformance, HeadKnowsSizeAndTime) {
  Put(*store_, "first", "12345");
  const auto head = store_->Head("first");
  ASSERT_TRUE(head && *head);
  EXPECT_EQ((*head)->key, "first");
  EXPECT_EQ((*head)->bytes, 5u);
  EXPECT_GT((*head)->modified.time_since_epoch().count(), 0);
}

TEST_P(ObjectStoreConformance, RemoveSaysWhatItFreed) {
  Put(*store_, "a/b/c", "12345");
  EXPECT_EQ(store_->Remove("a/b/c").value(), 5u);
  EXPECT_EQ(store_->Remove("a/b/c").value(), 0u);
  EXPECT_EQ(Get(*store_, "a/b/c"), "not_found");
  Put(*store_, "a", "in the folder's place");
  EXPECT_EQ(Get(*store_, "a"), "in the folder's place");
}

TEST_P(ObjectStoreConformance, RefusesWhatIsNoKey) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view key :
       {""sv, "/"sv, "/a"sv, "a/"sv, "a//b"sv, "."sv, ".."sv, "a/../b"sv, "./a"sv,
        "../../etc/passwd"sv, "a/.."sv, "a\0b"sv, "a\nb"sv, ".spillway"sv}) {
    EXPECT_THAT(store_->Create(key, Overwrite::kAllowed), FailsWith(ErrorCode::kInvalidArgument))
        << key;
    EXPECT_THAT(store_->Open(key, {}), FailsWith(ErrorCode::kInvalidArgument)) << key;
    EXPECT_THAT(store_->Head(key), FailsWith(ErrorCode::kInvalidArgument)) << key;
    EXPECT_THAT(store_->Remove(key), FailsWith(ErrorCode::kInvalidArgument)) << key;
    EXPECT_THAT(store_->Compose(key, {}, {}), FailsWith(ErrorCode::kInvalidArgument)) << key;
  }
  EXPECT_THAT(store_->List("../", "", 10), FailsWith(ErrorCode::kInvalidArgument));
}

TEST_P(ObjectStoreConformance, TakesUnusualKeys) {
  for (const std::string key :
       {"organisation=a b/ü/😀.csv", "%2F", "..a/...", "-rf", "a\\b", "*?\"'<>|"}) {
    Put(*store_, key, key);
    EXPECT_EQ(Get(*store_, key), key);
    EXPECT_THAT(Keys(*store_, key), testing::ElementsAre(key));
  }
}

TEST_P(ObjectStoreConformance, ListsInByteOrderOfKeys) {
  // '-' and '.' sort before '/', '0' after it: folders are not simply sorted by their names.
  const std::vector<std::string> keys = {"a-b/c", "a.b", "a/b", "a/b-c", "a/c/d", "a0", "é"};
  for (const std::string& key : keys | std::views::reverse) Put(*store_, key, "");
  EXPECT_EQ(Keys(*store_), keys);
}

TEST_P(ObjectStoreConformance, ListsByPrefix) {
  for (const std::string_view key : {"day=1/a", "day=1/b", "day=10/a", "day=2/a", "x"})
    Put(*store_, key, "");
  EXPECT_THAT(Keys(*store_, "day=1/"), testing::ElementsAre("day=1/a", "day=1/b"));
  EXPECT_THAT(Keys(*store_, "day=1"), testing::ElementsAre("day=1/a", "day=1/b", "day=10/a"));
  EXPECT_THAT(Keys(*store_, "day=1/a"), testing::ElementsAre("day=1/a"));
  EXPECT_THAT(Keys(*store_, "day=3/"), testing::IsEmpty());
  EXPECT_THAT(Keys(*store_, "x/"), testing::IsEmpty());
  EXPECT_THAT(Keys(*store_, "no/where/"), testing::IsEmpty());
}

TEST_P(ObjectStoreConformance, ListsInPages) {
  std::vector<std::string> keys;
  for (int i = 0; i < 30; ++i)
    keys.push_back(fmt::format("{}/{}{:03}", i / 10, i % 3 == 0 ? "x/" : "", i));
  for (const std::string& key : keys) Put(*store_, key, "");
  std::ranges::sort(keys);
  for (const size_t limit : {1u, 4u, 29u, 30u, 31u}) {
    std::vector<std::string> seen;
    for (;;) {
      const auto page = Keys(*store_, "", seen.empty() ? "" : seen.back(), limit);
      EXPECT_LE(page.size(), limit);
      if (page.empty()) break;
      seen.insert(seen.end(), page.begin(), page.end());
    }
    EXPECT_EQ(seen, keys) << limit;
  }
  EXPECT_THAT(Keys(*store_, "", "", 0), testing::IsEmpty());
  EXPECT_THAT(Keys(*store_, "1/", "1/zzz"), testing::IsEmpty());
  EXPECT_EQ(Keys(*store_, "2/", "1/zzz").size(), 10u);
}

TEST_P(ObjectStoreConformance, ComposesPartsOfObjects) {
  Put(*store_, "one", "0123456789");
  Put(*store_, "two", "abcdef");
  ExpectComposed("joined/three",
                 {{"two", 1, 2}, {"one", 0, 3}, {"one", 3, 1}, {"two", 0, 0}, {"one", 9, 1}},
                 "bc01239");
  EXPECT_EQ(Get(*store_, "two"), "abcdef");
}

TEST_P(ObjectStoreConformance, ComposesLargePartsInOrder) {
  std::string text;
  for (int i = 0; i < 20'000'000; ++i) text += static_cast<char>('a' + (i * 7 + (i >> 10)) % 26);
  Put(*store_, "source", text);
  auto info = store_->Compose(
      "joined",
      std::vector<ObjectRange>{{"source", 10'000'001, 9'999'999}, {"source", 0, 10'000'001}}, {});
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_TRUE(Get(*store_, "joined") == text.substr(10'000'001) + text.substr(0, 10'000'001));
}

TEST_P(ObjectStoreConformance, ComposeRefusesWhatIsMissingOrTooShort) {
  Put(*store_, "short", "123");
  EXPECT_THAT(store_->Compose("out", std::vector<ObjectRange>{{"short", 2, 2}}, {}),
              FailsWith(ErrorCode::kCorrupt));
  EXPECT_THAT(store_->Compose("out", std::vector<ObjectRange>{{"short", uint64_t{0} - 1, 2}}, {}),
              FailsWith(ErrorCode::kCorrupt));
  EXPECT_THAT(store_->Compose("out", std::vector<ObjectRange>{{"missing", 0, 2}}, {}),
              FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(store_->Compose("out", std::vector<ObjectRange>{{"../x", 0, 2}}, {}),
              FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_EQ(Get(*store_, "out"), "not_found");
  EXPECT_THAT(Keys(*store_), testing::ElementsAre("short"));
}

TEST_P(ObjectStoreConformance, WhatEndedNeedsNoMaintenance) {
  Put(*store_, "kept", "text");
  {
    auto dropped = store_->Create("dropped", Overwrite::kNever).value();
  }
  Maintenance* const maintenance = store_->maintenance();
  if (maintenance == nullptr) return;  // Nothing of the kind can be left here.
  const auto proven = maintenance->ProveCreateOnce();
  EXPECT_TRUE(proven) << proven.error().message;
  EXPECT_EQ(maintenance->SweepAbandoned(std::chrono::seconds(-5), Sweep::kRemove).value_or(9), 0u);
  EXPECT_TRUE(maintenance->RemoveUnfinished("kept"));
  EXPECT_EQ(Get(*store_, "kept"), "text");
}

TEST_P(ObjectStoreConformance, LinksLeadToKeysOnly) {
  Links* const links = store_->links();
  if (links == nullptr) return;
  EXPECT_THAT(links->Link("../x", std::chrono::hours(1), "x"),
              FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_NE(links->Link("a/x", std::chrono::hours(1), "x").value_or("").find("a/x"),
            std::string::npos);
}

}  // namespace spillway::storage
