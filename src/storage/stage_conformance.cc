#include <algorithm>
#include <mutex>
#include <ranges>
#include <thread>

#include <fmt/format.h>

#include "storage/conformance.h"

namespace spillway::storage {

TEST_P(ObjectStoreStageConformance, ComposesNothingToAnEmptyObject) {
  ExpectComposed("none", {}, "");
}

TEST_P(ObjectStoreStageConformance, SaysWhereBytesWent) {
  auto stage = NewStage();
  EXPECT_EQ(Append(*stage, "one"), (ObjectRange{std::string(kStageKey), 0, 3}));
  EXPECT_EQ(Append(*stage, ""), (ObjectRange{std::string(kStageKey), 3, 0}));
  const std::vector<Bytes> pieces = {BytesOf("t"), {}, BytesOf("wo")};
  EXPECT_EQ(stage->Append(pieces, {}).value(), (ObjectRange{std::string(kStageKey), 3, 3}));
}

TEST_P(ObjectStoreStageConformance, AppendsStandInTheOrderInWhichTheyWereBegun) {
  auto stage = NewStage();
  std::vector<std::future<Result<ObjectRange>>> begun;
  std::vector<std::string> texts;
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    texts.emplace_back(static_cast<size_t>(i % 3 == 0 ? 5000 : i), static_cast<char>('a' + i));
    expected += texts.back();
  }
  for (const std::string& text : texts) begun.push_back(stage->Begin(BytesOf(text), {}, {}));
  std::vector<ObjectRange> ranges;
  uint64_t end = 0;
  for (auto& append : begun) {
    ranges.push_back(append.get().value());
    EXPECT_EQ(ranges.back().offset, end);
    end += ranges.back().bytes;
  }
  ExpectComposed("out", ranges, expected);
}

TEST_P(ObjectStoreStageConformance, ComposesAWholeStage) {
  auto stage = NewStage();
  const auto one = Append(*stage, "one");
  const auto two = Append(*stage, "two");
  ExpectComposed("out", {one, two}, "onetwo");
}

TEST_P(ObjectStoreStageConformance, ComposesWhatWasCountedOnly) {
  auto stage = NewStage();
  const auto one = Append(*stage, "one");
  Append(*stage, "of an attempt that failed");
  ExpectComposed("out", {one}, "one");
}

TEST_P(ObjectStoreStageConformance, ComposesAcrossStagesInTheOrderAsked) {
  auto first = NewStage();
  auto second = NewStage(".spillway/jobs/j1/stage-2");
  const auto a = Append(*first, "a");
  const auto b = Append(*second, "bb");
  const auto c = Append(*first, "ccc");
  ExpectComposed("out", {c, b, a}, "cccbba");
}

TEST_P(ObjectStoreStageConformance, ALateAppendCannotSpoilWhatIsPublished) {
  auto stage = NewStage();
  const auto one = Append(*stage, "one");
  ExpectComposed("out", {one}, "one");
  const Bytes late = BytesOf("late");
  static_cast<void>(stage->Append({&late, 1}, {}));
  EXPECT_EQ(Get(*store_, "out"), "one");
}

TEST_P(ObjectStoreStageConformance, ALateAppendOfAnotherProcessCannotSpoilWhatIsPublished) {
  auto stage = NewStage();
  const auto one = Append(*stage, "one");
  const auto other = open_();
  ASSERT_TRUE(other->Compose("out", std::vector<ObjectRange>{one}, {}));
  const Bytes late = BytesOf("late");
  static_cast<void>(stage->Append({&late, 1}, {}));
  EXPECT_EQ(Get(*other, "out"), "one");
  EXPECT_EQ(Get(*store_, "out"), "one");
}

TEST_P(ObjectStoreStageConformance, AStageOutlivesItsProcess) {
  auto stage = NewStage();
  const auto one = Append(*stage, "one");
  ASSERT_TRUE(store_->Sync(kStageKey));
  stage.reset();
  store_ = open_();
  ASSERT_TRUE(store_->Sync(kStageKey));
  ExpectComposed("out", {one}, "one");
}

TEST_P(ObjectStoreStageConformance, AStagedRunCanBeReadBack) {
  auto stage = NewStage();
  Append(*stage, "one");
  const ObjectRange two = Append(*stage, "two");
  const auto reader = store_->Open(kStageKey, {}).value();
  std::string read(two.bytes, ' ');
  EXPECT_EQ(reader->ReadAt(two.offset, std::as_writable_bytes(std::span(read))), two.bytes);
  EXPECT_EQ(read, "two");
  EXPECT_EQ(store_->traits().epoch, open_()->traits().epoch);
}

TEST_P(ObjectStoreStageConformance, ComposingAgainSucceeds) {
  auto stage = NewStage();
  const std::vector<ObjectRange> ranges = {Append(*stage, "one"), Append(*stage, "two")};
  ExpectComposed("out", ranges, "onetwo");
  ExpectComposed("out", ranges, "onetwo");
  stage.reset();
  ASSERT_TRUE(store_->Remove(kStageKey));
  ExpectComposed("out", ranges, "onetwo");
  store_ = open_();
  ExpectComposed("out", ranges, "onetwo");
}

TEST_P(ObjectStoreStageConformance, ComposingAgainFromSeveralStagesSucceeds) {
  auto first = NewStage();
  auto second = NewStage(".spillway/jobs/j1/stage-2");
  const std::vector<ObjectRange> ranges = {Append(*first, "one"), Append(*second, "two")};
  ExpectComposed("out", ranges, "onetwo");
  ExpectComposed("out", ranges, "onetwo");
  ASSERT_TRUE(store_->Remove(kStageKey));
  ExpectComposed("out", ranges, "onetwo");
}

TEST_P(ObjectStoreStageConformance, ComposeOfAMissingStageFails) {
  Put(*store_, "out", "of another length");
  const std::vector<ObjectRange> ranges = {{std::string(kStageKey), 0, 3}};
  EXPECT_THAT(store_->Compose("out", ranges, {}), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(Get(*store_, "out"), "of another length");
}

TEST_P(ObjectStoreStageConformance, ComposeOfMoreThanAStageHoldsFails) {
  auto stage = NewStage();
  Append(*stage, "one");
  const std::vector<ObjectRange> ranges = {{std::string(kStageKey), 0, 4}};
  EXPECT_THAT(store_->Compose("out", ranges, {}), FailsWith(ErrorCode::kCorrupt));
  EXPECT_EQ(Get(*store_, "out"), "not_found");
}

TEST_P(ObjectStoreStageConformance, ManyThreadsAppendWithoutOverlap) {
  auto stage = NewStage();
  std::mutex mutex;
  std::vector<std::pair<ObjectRange, std::string>> written;
  const auto append = [&](int thread) {
    for (int i = 0; i < 200; ++i) {
      const std::string text(static_cast<size_t>(1 + (i * 37 + thread) % 3000),
                             static_cast<char>('a' + thread));
      const std::vector<Bytes> pieces = {BytesOf(text).first(text.size() / 2),
                                         BytesOf(text).subspan(text.size() / 2)};
      const auto range = stage->Append(pieces, {});
      ASSERT_TRUE(range);
      std::lock_guard lock(mutex);
      written.emplace_back(*range, text);
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) threads.emplace_back(append, thread);
  }
  std::vector<ObjectRange> ranges;
  std::string expected;
  for (const auto& [range, text] : written) {
    ranges.push_back(range);
    expected += text;
  }
  ASSERT_TRUE(store_->Compose("out", ranges, {}));
  EXPECT_TRUE(Get(*store_, "out") == expected);
}

TEST_P(ObjectStoreStageConformance, AStageMayKnowItsTarget) {
  auto stage = store_->CreateStage(kStageKey, StageTarget{.key = "out", .chunks = 2}).value();
  const std::string first(store_->traits().join_bytes_min + 3, 'a');
  std::vector<ObjectRange> ranges;
  std::string expected;
  for (int64_t chunk = 0; chunk < 2; ++chunk) {
    for (const bool placed : {false, true}) {
      const std::string text = first + std::to_string(chunk) + (placed ? "placed" : "");
      const auto of = placed ? std::optional(chunk) : std::nullopt;
      ranges.push_back(stage->Begin(BytesOf(text), of, {}).get().value());
      expected += text;
    }
  }
  EXPECT_EQ(Get(*store_, "out"), "not_found") << "only Compose publishes";
  ASSERT_TRUE(store_->Compose("out", ranges, {}));
  EXPECT_TRUE(Get(*store_, "out") == expected);
}

TEST_P(ObjectStoreStageConformance, StagesAreNotListedUnlessNamed) {
  auto stage = NewStage();
  const auto one = Append(*stage, "one");
  auto writer = store_->Create("unfinished", Overwrite::kNever);
  ASSERT_TRUE(writer);
  EXPECT_THAT(Keys(*store_), testing::IsEmpty());
  EXPECT_THAT(Keys(*store_, ".spillway/jobs/j1/"), testing::ElementsAre(kStageKey));
}

TEST_P(ObjectStoreStageConformance, StagesAreTakenOnce) {
  auto stage = NewStage();
  EXPECT_THAT(store_->CreateStage(kStageKey, {}), FailsWith(ErrorCode::kAlreadyExists));
  Append(*stage, "one");
  stage.reset();
  EXPECT_THAT(store_->CreateStage(kStageKey, {}), FailsWith(ErrorCode::kAlreadyExists));
  EXPECT_EQ(store_->Remove(kStageKey).value(), 3u);
  EXPECT_EQ(store_->Remove(kStageKey).value(), 0u);
  EXPECT_NE(NewStage(), nullptr);
}

TEST_P(ObjectStoreStageConformance, ANewStageUnderAnOldKeyIsItsOwn) {
  auto old = NewStage();
  Append(*old, "old");
  ASSERT_TRUE(store_->Remove(kStageKey));
  auto fresh = NewStage();
  const auto range = Append(*fresh, "new");
  Append(*old, "older");
  old.reset();
  ExpectComposed("out", {range}, "new");
}

TEST_P(ObjectStoreStageConformance, SyncOfWhatIsNotThereFails) {
  EXPECT_THAT(store_->Sync(kStageKey), FailsWith(ErrorCode::kNotFound));
}

TEST_P(ObjectStoreStageConformance, LeavesNothingBehind) {
  auto stage = NewStage();
  const auto one = Append(*stage, "one");
  ExpectComposed("out", {one}, "one");
  stage.reset();
  ASSERT_TRUE(store_->Remove(kStageKey));
  EXPECT_THAT(Keys(*store_, ".spillway/"), testing::IsEmpty());
}

}  // namespace spillway::storage
