#include "storage/s3/in_place.h"

#include <algorithm>
#include <string>
#include <vector>

#include "storage/s3/s3_store_fixture.h"

namespace spillway::storage {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

/// Chunks of one file, as several processes write them.
class InPlaceTest : public S3StoreTest {
 protected:
  static constexpr size_t kLong = 5'400'000;
  static constexpr int64_t kChunks = 10;

  std::unique_ptr<Stage> NewStage(const std::string& owner, int64_t chunks = kChunks) {
    return store_.CreateStage(Staged(owner), StageTarget{.key = "out", .chunks = chunks}).value();
  }
  static std::string Staged(const std::string& name) { return ".spillway/jobs/j/" + name; }

  /// Writes a chunk as PartWriter does: what comes first is to be readable.
  void Write(Stage& stage, int64_t chunk, const std::vector<size_t>& appends) {
    for (size_t i = 0; i < appends.size(); ++i) {
      const std::string text = Letters(appends[i], static_cast<unsigned>(expected_.size() % 97));
      ranges_.push_back(stage.Begin(BytesOf(text), i == 0 ? std::nullopt : std::optional(chunk), {})
                            .get()
                            .value());
      expected_ += text;
    }
  }

  size_t InPlace() const {
    return static_cast<size_t>(std::ranges::count_if(ranges_, [](const ObjectRange& range) {
      return s3::InPlace::Parse(range.key).has_value();
    }));
  }

  void ExpectComposed(ObjectStore& store) {
    const auto composed = store.Compose("out", ranges_, {});
    ASSERT_TRUE(composed) << composed.error().message;
    EXPECT_EQ(composed->bytes, expected_.size());
    EXPECT_TRUE(Get("out") == expected_);
  }

  void RemoveStaged() {
    const std::vector<ObjectInfo> staged = store_.List(".spillway/jobs/", "", 100).value();
    for (const ObjectInfo& object : staged) ASSERT_TRUE(store_.Remove(object.key));
    EXPECT_THAT(store_.List(".spillway/", "", 100).value(), IsEmpty());
    EXPECT_THAT(store_.client().ListUploads("").value(), IsEmpty());
  }

  std::vector<ObjectRange> ranges_;
  std::string expected_;
};

TEST_F(InPlaceTest, LongAppendsArePartsOfTheirFile) {
  auto stage = NewStage("a");
  Write(*stage, 0, {kLong, kLong, kLong + 1});
  Write(*stage, 1, {kLong, kLong + 2});
  Write(*stage, 2, {100});
  EXPECT_EQ(InPlace(), 3u);
  EXPECT_EQ(Get("out"), "there is no object out") << "nothing is seen of it yet";
  for (const ObjectRange& range : ranges_) EXPECT_TRUE(store_.Sync(range.key));
  ExpectComposed(store_);
  RemoveStaged();
  ExpectComposed(store_);
  EXPECT_THAT(store_.Compose("out", std::span(ranges_).first(2), {}),
              FailsWith(ErrorCode::kCorrupt))
      << "what was composed is not these bytes";
}

TEST_F(InPlaceTest, WhatOthersHaveStagedIsCopiedInBetween) {
  OwningStore other(bucket_, {});
  auto first = NewStage("a");
  auto second =
      other.CreateStage(Staged("b"), StageTarget{.key = "out", .chunks = kChunks}).value();
  Write(*first, 0, {kLong, kLong});
  Write(*second, 1, {kLong, kLong, kLong});
  Write(*second, 2, {1'000'000});
  Write(*first, 3, {2'000'000});
  Write(*second, 4, {300});
  Write(*first, 5, {kLong, kLong});
  Write(*first, 6, {7});
  Write(*first, 7, {kLong, kLong});
  Write(*second, 8, {5});
  EXPECT_EQ(InPlace(), 3u) << "one process has the upload";
  ExpectComposed(other);
  RemoveStaged();
}

TEST_F(InPlaceTest, AnotherAttemptOfAChunkDoesNotDisturb) {
  auto stage = NewStage("a");
  Write(*stage, 0, {kLong, kLong, kLong});
  ranges_.clear();
  expected_.clear();
  Write(*stage, 0, {kLong + 5, kLong + 6});
  Write(*stage, 1, {kLong, kLong});
  ExpectComposed(store_);
  RemoveStaged();
}

TEST_F(InPlaceTest, AChunkOfMorePartsThanItHasNumbersGoesOnInItsStage) {
  auto stage = NewStage("a", 3000);  // Three numbers each, one of them for what is copied.
  Write(*stage, 0, {kLong, kLong, kLong, kLong, kLong, kLong});
  Write(*stage, 1, {kLong, kLong});
  EXPECT_EQ(InPlace(), 3u);
  ExpectComposed(store_);
  EXPECT_THAT(store_.List(".spillway/tmp/", "", 100).value(), IsEmpty());
  RemoveStaged();
}

TEST_F(InPlaceTest, AnUnfinishedFileGoesWithItsStages) {
  auto stage = NewStage("a");
  Write(*stage, 0, {kLong, kLong});
  EXPECT_THAT(store_.client().ListUploads("").value(), SizeIs(1));
  EXPECT_EQ(store_.store().SweepAbandoned(std::chrono::seconds(-5), Sweep::kRemove).value(), 0u)
      << "nobody has abandoned it";
  RemoveStaged();
  EXPECT_THAT(store_.Compose("out", ranges_, {}), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(Get("out"), "there is no object out");
}

TEST_F(InPlaceTest, APartThatIsNotThereIsNotMadeUpFor) {
  auto stage = NewStage("a");
  Write(*stage, 0, {kLong, kLong, kLong});
  std::vector<ObjectRange> wrong = ranges_;
  wrong[2].bytes -= 1;
  EXPECT_THAT(store_.Compose("out", wrong, {}), FailsWith(ErrorCode::kCorrupt));
  wrong = ranges_;
  wrong[2].offset += 5 * s3::kPartStride;
  EXPECT_THAT(store_.Compose("out", wrong, {}), FailsWith(ErrorCode::kCorrupt));
  wrong = ranges_;
  std::swap(wrong[1], wrong[2]);
  EXPECT_THAT(store_.Compose("out", wrong, {}), FailsWith(ErrorCode::kCorrupt));
  EXPECT_THAT(store_.Compose("elsewhere", ranges_, {}), FailsWith(ErrorCode::kCorrupt));
  const auto upload = store_.client().ListUploads("").value();
  ASSERT_TRUE(store_.client().AbortUpload(upload.at(0)));
  EXPECT_THAT(store_.Compose("out", ranges_, {}), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(Get("out"), "there is no object out");
}

}  // namespace
}  // namespace spillway::storage
