#include "staging/staging.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "engine/act.h"
#include "staging/outcome.h"
#include "staging/stagings.h"
#include "storage/forwarding_store.h"
#include "storage/lent.h"
#include "storage/memory/memory_store.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

class StagingTest : public testing::Test {
 protected:
  static constexpr size_t kPendingMax = 100;

  PartWriter NewPart(int64_t chunk, PartOrder order = PartOrder::kInTurn) {
    return staging_.NewPart("file.txt", chunk, order);
  }

  Result<Part> Write(int64_t chunk, std::string_view text) {
    PartWriter part = NewPart(chunk);
    part.buffer().Append(text);
    return part.Finish(1, {});
  }

  std::string Read(const Part& part) {
    std::string text;
    for (const storage::ObjectRange& range : part.ranges) {
      text += storage::ReadWhole(store_, range.key)->substr(range.offset, range.bytes);
    }
    return text;
  }

  ManualClock clock_;
  storage::MemoryPlace place_;
  storage::MemoryStore store_{place_, clock_};
  Staging staging_{store_, Staging::PrefixOf("job"), "owner", kPendingMax};
};

TEST_F(StagingTest, APartSaysWhereItsBytesAreAndWhatTheyAre) {
  const auto place = staging_.Enter(0);
  const Result<Part> part = Write(0, "hello");
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(Read(*part), "hello");
  EXPECT_EQ(part->file, "file.txt");
  EXPECT_EQ(part->bytes, 5U);
  EXPECT_EQ(part->rows, 1);
  EXPECT_EQ(part->sha256, ToHex(Sha256Of("hello")));
}

/// A directory that was replaced is opened as another store.
TEST_F(StagingTest, ForAnotherStoreANewStagingBegins) {
  storage::MemoryPlace other_place;
  auto first = std::make_shared<storage::MemoryStore>(place_, clock_);
  const auto other = std::make_shared<storage::MemoryStore>(other_place, clock_);
  const std::weak_ptr<storage::ObjectStore> closed = first;
  Stagings stagings("owner", kPendingMax);
  const Job job{.id = "job"};
  Stagings::Use former = stagings.Of(job, first, "exports");
  EXPECT_EQ(&*former, &*stagings.Of(job, first, "exports"));
  Stagings::Use current = stagings.Of(job, other, "exports");
  EXPECT_NE(&*former, &*current);
  EXPECT_EQ(stagings.Stores().size(), 2U);
  first.reset();
  EXPECT_FALSE(closed.expired()) << "somebody stages there";
  former = {};
  EXPECT_TRUE(closed.expired());
  EXPECT_EQ(stagings.Stores(), std::vector<std::shared_ptr<storage::ObjectStore>>{other});
  EXPECT_EQ(&*current, &*stagings.Of(job, other, "exports"));
}

TEST_F(StagingTest, AnEmptyPartHasNoRangesAndTheDigestOfNothing) {
  const auto place = staging_.Enter(0);
  const Result<Part> part = Write(0, "");
  ASSERT_TRUE(part.has_value());
  EXPECT_TRUE(part->ranges.empty());
  EXPECT_EQ(part->sha256, ToHex(Sha256Of("")));
}

TEST_F(StagingTest, PartsUseTheMemoryOfEarlierOnesWhileChunksAreInLine) {
  auto first = std::optional(staging_.Enter(0));
  ASSERT_TRUE(Write(0, "hello").has_value());
  auto second = std::optional(staging_.Enter(1));
  first.reset();
  {
    PartWriter part = NewPart(1);
    EXPECT_GT(part.buffer().capacity(), 0U);
    EXPECT_TRUE(part.buffer().empty());
    part.buffer().Append("and again");
    const Result<Part> again = part.Finish(1, {});
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(Read(*again), "and again");
  }
  second.reset();
  const auto third = staging_.Enter(2);
  EXPECT_EQ(NewPart(2).buffer().capacity(), 0U);
}

TEST_F(StagingTest, BytesGoOutWhenTheyAreTooManyToHold) {
  const auto place = staging_.Enter(0);
  PartWriter part = NewPart(0);
  std::string all;
  for (int i = 0; i < 20; ++i) {
    const std::string text(30, static_cast<char>('a' + i));
    part.buffer().Append(text);
    all += text;
    ASSERT_TRUE(part.Commit({}).has_value());
    EXPECT_LT(part.buffer().size(), kPendingMax);
    EXPECT_EQ(part.bytes(), all.size());
  }
  const Result<Part> finished = part.Finish(20, {});
  EXPECT_EQ(Read(*finished), all);
  EXPECT_EQ(finished->ranges.size(), 1U) << "runs that join are one";
  EXPECT_EQ(finished->sha256, ToHex(Sha256Of(all)));
}

TEST_F(StagingTest, ChunksAreStagedInTheOrderOfTheirIndicesWhoeverIsFirst) {
  constexpr int kChunks = 8;
  std::vector<Staging::Place> places;
  for (int i = 0; i < kChunks; ++i) places.push_back(staging_.Enter(i));
  std::vector<std::jthread> threads;
  for (int i = kChunks; i-- > 0;) {
    threads.emplace_back([this, i, place = std::move(places[static_cast<size_t>(i)])]() mutable {
      EXPECT_TRUE(
          Write(i, std::string(i % 2 == 0 ? 10 : 300, static_cast<char>('0' + i))).has_value());
      place = {};
    });
  }
  threads.clear();
  const auto staged = store_.List(Staging::PrefixOf("job"), "", 10);
  ASSERT_EQ(staged->size(), 1U) << "one stage a file";
  const std::string text = *storage::ReadWhole(store_, staged->front().key);
  EXPECT_TRUE(std::ranges::is_sorted(text));
  EXPECT_EQ(text.size(), 4 * 10U + 4 * 300U);
}

TEST_F(StagingTest, SortedBatchesOfSeveralThreadsNeverWaitForEachOtherInARing) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  constexpr int kBatch = 5;
  std::mutex intake;
  int64_t next = 0;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < kRounds; ++round) {
        std::vector<std::pair<int64_t, Staging::Place>> batch;
        {
          std::lock_guard lock(intake);
          // Deliveries are not in the order of the indices; a batch is sorted before it is worked
          // on.
          const int64_t first = next;
          next += kBatch;
          for (int64_t i = 0; i < kBatch; ++i) {
            const int64_t chunk = (first + i) ^ (round % 2 == 0 ? 0 : 3);
            batch.emplace_back(chunk, staging_.Enter(chunk));
          }
        }
        std::ranges::sort(batch, {}, [](const auto& one) { return one.first; });
        for (auto& [chunk, place] : batch) {
          EXPECT_TRUE(Write(chunk, std::string(thread % 2 == 0 ? 7 : 150, 'x')).has_value());
          place = {};
        }
      }
    });
  }
  threads.clear();
  EXPECT_EQ(next, kThreads * kRounds * kBatch);
}

TEST_F(StagingTest, WhoWaitsForItsTurnCanBeStopped) {
  const auto first = staging_.Enter(0);
  const auto second = staging_.Enter(1);
  std::stop_source stop;
  std::jthread waiting([&] {
    PartWriter part = NewPart(1);
    part.buffer().Append("late");
    const Result<Part> finished = part.Finish(1, stop.get_token());
    ASSERT_FALSE(finished.has_value());
    EXPECT_EQ(finished.error().code, ErrorCode::kCancelled);
  });
  stop.request_stop();
  waiting.join();
  EXPECT_TRUE(store_.List(Staging::PrefixOf("job"), "", 10)->empty()) << "nothing was staged";
}

TEST_F(StagingTest, APartOnItsOwnWaitsForNobody) {
  const auto first = staging_.Enter(0);
  const auto second = staging_.Enter(1);
  PartWriter part = NewPart(1, PartOrder::kAlone);
  part.buffer().Append(std::string(kPendingMax * 3, 'x'));
  ASSERT_TRUE(part.Commit({}).has_value());
  EXPECT_TRUE(part.Finish(1, {}).has_value());
}

TEST_F(StagingTest, BytesOutsideAnyChunkAreAPartWithoutRows) {
  const Result<Part> footer =
      staging_.Append("file.txt", std::as_bytes(std::span<const char>("foot", 4)));
  ASSERT_TRUE(footer.has_value());
  EXPECT_EQ(Read(*footer), "foot");
  EXPECT_EQ(footer->rows, 0);
  EXPECT_EQ(footer->sha256, ToHex(Sha256Of("foot")));
}

/// Loses the answer of the first request for a stage.
class ForgetfulStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Result<std::unique_ptr<storage::Stage>> CreateStage(
      std::string_view key, const std::optional<storage::StageTarget>& target) override {
    auto stage = ForwardingStore::CreateStage(key, target);
    if (!std::exchange(forgot_, true)) return FailTransient(ErrorCode::kUnavailable, "no answer");
    return stage;
  }

 private:
  bool forgot_ = false;
};

/// Appends end some time after they were begun, not in their order.
class FarStore final : public storage::ForwardingStore {
 public:
  static constexpr size_t kAtOnce = 3;
  explicit FarStore(storage::ObjectStore& store)
      : ForwardingStore(store,
                        {.transfer_bytes = 50, .appends_at_once = kAtOnce, .join_bytes_min = 40}) {}

  Result<std::unique_ptr<storage::Stage>> CreateStage(
      std::string_view key, const std::optional<storage::StageTarget>& target) override {
    if (target.has_value())
      targets_.push_back(target->key + " of " + std::to_string(target->chunks));
    return std::make_unique<FarStage>(*this, TRY(ForwardingStore::CreateStage(key, target)));
  }

  /// The append that fails: how many are begun from now on before it.
  void FailAfter(size_t appends) { fails_ = begun_ + appends; }
  size_t most_at_once() const { return most_at_once_; }
  const std::vector<std::string>& targets() const { return targets_; }
  /// The bytes of each append, and the chunk it could be put in place for.
  const std::vector<std::pair<size_t, std::optional<int64_t>>>& begun() const { return appends_; }

 private:
  class FarStage final : public storage::Stage {
   public:
    FarStage(FarStore& store, std::unique_ptr<storage::Stage> near)
        : store_(store), near_(std::move(near)) {}

    Result<storage::ObjectRange> Append(std::span<const storage::Bytes> pieces,
                                        std::stop_token stop) override {
      return near_->Append(pieces, std::move(stop));
    }
    std::future<Result<storage::ObjectRange>> Begin(storage::Bytes bytes,
                                                    std::optional<int64_t> chunk,
                                                    std::stop_token stop) override {
      store_.appends_.emplace_back(bytes.size(), chunk);
      Result<storage::ObjectRange> range = Append(std::array{bytes}, std::move(stop));
      const size_t append = store_.begun_++;
      if (append == store_.fails_) range = FailTransient(ErrorCode::kUnavailable, "cut off");
      store_.most_at_once_ = std::max<size_t>(store_.most_at_once_, ++store_.under_way_);
      return std::async(std::launch::async, [this, range, append] {
        std::this_thread::sleep_for(std::chrono::milliseconds(append % kAtOnce == 0 ? 5 : 1));
        --store_.under_way_;
        return range;
      });
    }

   private:
    FarStore& store_;
    const std::unique_ptr<storage::Stage> near_;
  };

  size_t fails_ = SIZE_MAX;
  size_t begun_ = 0;
  size_t most_at_once_ = 0;
  std::atomic<size_t> under_way_ = 0;
  std::vector<std::string> targets_;
  std::vector<std::pair<size_t, std::optional<int64_t>>> appends_;
};

class FarStagingTest : public StagingTest {
 protected:
  /// A part of so many pieces of 60 bytes; what it holds.
  Result<Part> WriteMany(int pieces, PartOrder order = PartOrder::kInTurn) {
    PartWriter part = staging_.NewPart("file.txt", 0, order);
    for (int i = 0; i < pieces; ++i) {
      const std::string text(60, static_cast<char>('a' + i % 26));
      part.buffer().Append(text);
      written_ += text;
      TRY(part.Commit({}));
    }
    return part.Finish(pieces, {});
  }

  FarStore far_{store_};
  Staging staging_{far_, Staging::PrefixOf("job"), "owner", kPendingMax, {"out", 7}};
  std::string written_;
};

TEST_F(FarStagingTest, AppendsUnderWayEndInTheirOrder) {
  const auto place = staging_.Enter(0);
  const Result<Part> part = WriteMany(30);
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(Read(*part), written_);
  EXPECT_EQ(part->ranges.size(), 1U);
  EXPECT_EQ(part->bytes, written_.size());
  EXPECT_EQ(part->sha256, ToHex(Sha256Of(written_)));
  EXPECT_GT(far_.most_at_once(), 1U) << "nobody waited for one before the next was begun";
  EXPECT_LE(far_.most_at_once(), FarStore::kAtOnce);
}

TEST_F(FarStagingTest, AllButTheFirstBytesOfAPartMayBePutInPlace) {
  const auto place = staging_.Enter(0);
  const Result<Part> part = WriteMany(8, PartOrder::kInPlace);
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(Read(*part), written_);
  EXPECT_EQ(far_.targets(), (std::vector<std::string>{"out/file.txt of 7"}));
  const auto& begun = far_.begun();
  ASSERT_GT(begun.size(), 2U);
  EXPECT_EQ(begun[0], std::pair(far_.traits().join_bytes_min, std::optional<int64_t>()));
  for (size_t i = 1; i < begun.size(); ++i) {
    EXPECT_GE(begun[i].first, far_.traits().join_bytes_min);
    EXPECT_EQ(begun[i].second, 0);
  }
}

TEST_F(FarStagingTest, OnlyTheFirstPartOfAChunkIsPutInPlace) {
  const auto place = staging_.Enter(0);
  ASSERT_TRUE(WriteMany(8, PartOrder::kInPlace).has_value());
  const size_t begun = far_.begun().size();
  written_.clear();
  const Result<Part> second = WriteMany(8, PartOrder::kInPlace);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(Read(*second), written_);
  ASSERT_GT(far_.begun().size(), begun);
  for (size_t i = begun; i < far_.begun().size(); ++i)
    EXPECT_FALSE(far_.begun()[i].second.has_value());
}

TEST_F(FarStagingTest, WhatHasNoNameYetStaysInItsStage) {
  const auto place = staging_.Enter(0);
  ASSERT_TRUE(WriteMany(8).has_value());
  EXPECT_TRUE(far_.targets().empty());
  for (const auto& [bytes, chunk] : far_.begun()) EXPECT_FALSE(chunk.has_value());
}

TEST_F(FarStagingTest, AnAppendThatFailsFailsThePart) {
  for (const size_t appends : {0, 2, 9, 10}) {
    far_.FailAfter(appends);
    const auto place = staging_.Enter(0);
    const Result<Part> part = WriteMany(15);
    ASSERT_FALSE(part.has_value()) << appends;
    EXPECT_EQ(part.error().message, "cut off");
  }
}

TEST_F(StagingTest, AStageWhoseAnswerWasLostIsInNobodysWay) {
  ForgetfulStore forgetful(store_);
  Staging staging(forgetful, Staging::PrefixOf("job"), "owner", kPendingMax);
  const auto place = staging.Enter(0);
  PartWriter first = staging.NewPart("file.txt", 0, PartOrder::kInTurn);
  first.buffer().Append("text");
  EXPECT_TRUE(first.Finish(1, {}).error().retryable);
  PartWriter second = staging.NewPart("file.txt", 0, PartOrder::kInTurn);
  second.buffer().Append("text");
  EXPECT_TRUE(second.Finish(1, {}).has_value());
}

class StagingsTest : public StagingTest {
 protected:
  Stagings::Use Of(const std::string& job_id) {
    Job job;
    job.id = job_id;
    return stagings_.Of(job, lent_, "out");
  }

  const std::shared_ptr<storage::ObjectStore> lent_ = storage::Lent(store_);
  Stagings stagings_{"owner", 32 << 20};
};

TEST_F(StagingsTest, AJobHasOneStagingAsLongAsItIsNotDropped) {
  const Staging* first = &*Of("a");
  EXPECT_EQ(&*Of("a"), first);
  EXPECT_NE(&*Of("b"), first);
}

TEST_F(StagingsTest, ADroppedStagingStaysForThoseWhoUseIt) {
  Stagings::Use old = Of("a");
  stagings_.Drop("a");
  Stagings::Use fresh = Of("a");
  EXPECT_NE(&*old, &*fresh);
  for (Stagings::Use* use : {&old, &fresh}) {
    EXPECT_TRUE((**use).Append("file", {}).has_value()) << "stages of two stagings do not meet";
  }
}

TEST_F(StagingsTest, TellsWhatNobodyUses) {
  {
    const Stagings::Use a = Of("a");
    const Stagings::Use b = Of("b");
    EXPECT_TRUE(stagings_.Unused().empty());
  }
  EXPECT_EQ(stagings_.Unused(), (std::vector<std::string>{"a", "b"}));
  stagings_.Drop("a");
  EXPECT_EQ(stagings_.Unused(), (std::vector<std::string>{"b"}));
}

TEST_F(StagingTest, TheJobsOfAStoreAreFoundByWhatIsStaged) {
  for (const char* job : {"a-1", "a-10", "b-1"}) {
    Staging staging(store_, Staging::PrefixOf(job), "owner", kPendingMax);
    for (const char* file : {"x", "y", "z"}) ASSERT_TRUE(staging.Append(file, {}).has_value());
  }
  EXPECT_EQ(*StagedJobs(store_), (std::vector<std::string>{"a-1", "a-10", "b-1"}));
  Receipt receipt;
  ASSERT_TRUE(RemoveStaged(store_, "a-1", receipt).has_value());
  EXPECT_EQ(receipt.objects_removed, 3);
  EXPECT_EQ(*StagedJobs(store_), (std::vector<std::string>{"a-10", "b-1"}));
}

}  // namespace
}  // namespace spillway::engine
