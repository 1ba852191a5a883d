#include "lake/log/commit_log.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/manual_clock.h"
#include "lake/failing_store.h"
#include "lake/log/data_file_name.h"
#include "storage/forwarding_store.h"
#include "storage/maintenance.h"
#include "storage/memory/memory_store.h"
#include "storage/objects.h"

namespace spillway::lake {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;

DataFile File(std::string key, std::string organisation = "acme", int32_t day = 0,
              int64_t rows = 1) {
  const Timestamp start{std::chrono::days(day)};
  return {.key = std::move(key),
          .organisation = std::move(organisation),
          .day = day,
          .bytes = 10,
          .row_groups = {{.rows = rows, .bytes = 8, .min_time = start, .max_time = start}}};
}

std::vector<std::string> Keys(const Snapshot& snapshot) {
  std::vector<std::string> keys;
  for (const DataFile& file : snapshot.files) keys.push_back(file.key);
  return keys;
}

class CommitLogTest : public testing::Test {
 protected:
  CommitLog NewLog() { return CommitLog(store_, clock_); }

  void Put(const std::string& key) {
    auto writer = *store_.Create(key, storage::Overwrite::kNever);
    ASSERT_TRUE(writer->Write(std::as_bytes(std::span("data", 4))));
    ASSERT_TRUE(writer->Finish());
  }
  bool Has(const std::string& key) { return store_.Head(key)->has_value(); }

  ManualClock clock_;
  storage::MemoryPlace place_;
  storage::MemoryStore store_{place_, clock_};
  CommitLog log_ = NewLog();
};

TEST_F(CommitLogTest, AnEmptyLakeHasNothing) {
  EXPECT_EQ(*log_.Version(), 0);
  EXPECT_TRUE(log_.Organisations()->empty());
  EXPECT_FALSE(*log_.HasBatch("b"));
  const auto read = log_.Read("acme");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(read.error().message, HasSubstr("ingest something first"));
  EXPECT_TRUE(read.error().retryable) << "perhaps its disk is not mounted yet";
}

TEST_F(CommitLogTest, EverythingInACommitIsReadBack) {
  DataFile file = File("org=a/x.parquet", "a\n\"é\"", 20'000, 7);
  file.row_groups.push_back({.rows = 3,
                             .bytes = 1ULL << 40,
                             .min_time = Timestamp(std::chrono::microseconds(-5)),
                             .max_time = Timestamp(std::chrono::microseconds(1LL << 60))});
  ASSERT_EQ(*log_.Append({.batch_id = "b", .added = {file}, .lines = 12, .rejected = 2}), 1);
  const auto snapshot = NewLog().Read("a\n\"é\"");
  ASSERT_TRUE(snapshot);
  ASSERT_EQ(snapshot->files.size(), 1);
  const DataFile& read = snapshot->files[0];
  EXPECT_EQ(read.key, file.key);
  EXPECT_EQ(read.organisation, file.organisation);
  EXPECT_EQ(read.day, file.day);
  EXPECT_EQ(read.bytes, file.bytes);
  ASSERT_EQ(read.row_groups.size(), 2);
  EXPECT_EQ(read.rows(), 10);
  EXPECT_EQ(read.row_groups[1].bytes, file.row_groups[1].bytes);
  EXPECT_EQ(read.row_groups[1].min_time, file.row_groups[1].min_time);
  EXPECT_EQ(read.row_groups[1].max_time, file.row_groups[1].max_time);

  int commits = 0;
  ASSERT_TRUE(log_.History([&](int64_t version, const Commit& commit) -> Result<> {
    ++commits;
    EXPECT_EQ(version, 1);
    EXPECT_EQ(commit.batch_id, "b");
    EXPECT_EQ(commit.lines, 12);
    EXPECT_EQ(commit.rejected, 2);
    EXPECT_EQ(commit.at, clock_.Now());
    return {};
  }));
  EXPECT_EQ(commits, 1);
}

TEST_F(CommitLogTest, ABatchCommitsOnce) {
  ASSERT_TRUE(log_.Append({.batch_id = "b", .added = {File("1")}}));
  const auto again = NewLog().Append({.batch_id = "b", .added = {File("2")}});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(Keys(*log_.Read("acme")), ElementsAre("1"));
  EXPECT_TRUE(*log_.HasBatch("b"));
}

TEST_F(CommitLogTest, RemovingWhatIsGoneIsAConflict) {
  ASSERT_TRUE(log_.Append({.added = {File("1"), File("2")}}));
  ASSERT_TRUE(log_.Append({.added = {File("12")}, .removed = {File("1"), File("2")}}));
  const auto again = log_.Append({.added = {File("13")}, .removed = {File("1")}});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_THAT(Keys(*log_.Read("acme")), ElementsAre("12"));
}

TEST_F(CommitLogTest, AnExpectedVersionThatPassedIsAConflict) {
  ASSERT_TRUE(log_.Append({.added = {File("1")}}, 0));
  const auto late = log_.Append({.added = {File("2")}}, 0);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kConflict);
}

TEST_F(CommitLogTest, FilesComeByDayThenTimeThenKey) {
  DataFile late = File("a", "acme", 1);
  DataFile early = File("z", "acme", 1);
  late.row_groups[0].min_time += hours(1);
  late.row_groups[0].max_time += hours(1);
  ASSERT_TRUE(log_.Append(
      {.added = {late, File("y", "acme", 2), early, File("x", "acme", 0), File("b", "acme", 1)}}));
  EXPECT_THAT(Keys(*log_.Read("acme")), ElementsAre("x", "b", "z", "a", "y"));
}

TEST_F(CommitLogTest, AnUnknownOrganisationNamesTheOneThatWasMeant) {
  ASSERT_TRUE(log_.Append({.added = {File("1", "acme-mail"), File("2", "other")}}));
  const auto read = log_.Read("acme-mial");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("did you mean \"acme-mail\"?"));
  EXPECT_FALSE(read.error().retryable);
}

TEST_F(CommitLogTest, AReaderAfterCheckpointsSeesAllThatWasCommitted) {
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    const std::string key = fmt::format("{:04}", i);
    ASSERT_EQ(*log_.Append({.batch_id = "batch/" + key,
                            .added = {File(key, i % 3 == 0 ? "acme" : fmt::format("o{}", i % 7))}}),
              i + 1);
    if (i % 3 == 0) expected.push_back(key);
    const CommitLog fresh = NewLog();
    ASSERT_EQ(Keys(*fresh.Read("acme")), expected) << i;
    ASSERT_EQ(*fresh.Version(), i + 1);
  }
  EXPECT_TRUE(*NewLog().HasBatch("batch/0000"));
  EXPECT_TRUE(*NewLog().HasBatch("batch/0199"));
  EXPECT_FALSE(*NewLog().HasBatch("batch/0200"));
  EXPECT_EQ(NewLog().Organisations()->size(), 8);
  EXPECT_EQ(store_.List(kCheckpointPrefix, "", 100)->size(), 3);
}

TEST_F(CommitLogTest, AnotherProcessFollowsOverCheckpoints) {
  const CommitLog follower = NewLog();
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(log_.Append({.added = {File(fmt::format("{:04}", i))}}));
    if (i % 50 == 0) {
      ASSERT_EQ(follower.Read("acme")->files.size(), i + 1);
    }
  }
  EXPECT_EQ(follower.Read("acme")->files.size(), 300);
}

/// Counts what a reader asks of the store.
class CountingStore : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  int64_t opened = 0, listed = 0, created = 0;

  Result<std::unique_ptr<storage::ObjectWriter>> Create(std::string_view key,
                                                        storage::Overwrite overwrite) override {
    ++created;
    return store_.Create(key, overwrite);
  }
  Result<std::unique_ptr<storage::ObjectReader>> Open(std::string_view key,
                                                      std::stop_token) override {
    ++opened;
    return store_.Open(key, {});
  }
  Result<std::vector<storage::ObjectInfo>> List(std::string_view prefix,
                                                std::string_view start_after,
                                                size_t limit) override {
    auto list = store_.List(prefix, start_after, limit);
    listed += static_cast<int64_t>(list->size());
    return list;
  }
};

/// Says of every object to be created that it is there already.
class TakenStore final : public CountingStore, public storage::Maintenance {
 public:
  using CountingStore::CountingStore;
  Result<std::unique_ptr<storage::ObjectWriter>> Create(std::string_view,
                                                        storage::Overwrite) override {
    ++created;
    return Fail(created < 9 ? ErrorCode::kAlreadyExists : ErrorCode::kInternal, "taken");
  }
  storage::Maintenance* maintenance() override { return this; }
  Result<> ProveCreateOnce() override {
    if (creates_once) return {};
    return Fail(ErrorCode::kUnsupported, "no conditional writes");
  }
  Result<size_t> SweepAbandoned(std::chrono::seconds, storage::Sweep) override { return size_t{0}; }
  Result<> RemoveUnfinished(std::string_view) override { return {}; }

  bool creates_once = true;
};

TEST_F(CommitLogTest, ARecordThatIsTakenAndNotThereEndsAnAppend) {
  TakenStore taken(store_);
  CommitLog log(taken, clock_);
  const auto appended = log.Append({.added = {File("a", "o")}});
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(taken.created, 1);
}

TEST_F(CommitLogTest, NothingIsAppendedWhereNobodyWins) {
  TakenStore taken(store_);
  taken.creates_once = false;
  CommitLog log(taken, clock_);
  const auto appended = log.Append({.added = {File("a", "o")}});
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(taken.created, 0);
}

TEST_F(CommitLogTest, AReaderOfOneOrganisationAmongManyReadsOneShardAndTheTail) {
  Commit all;
  for (int i = 0; i < 2000; ++i) {
    all.added.push_back(File(fmt::format("{:04}", i), fmt::format("o{:04}", i)));
  }
  ASSERT_TRUE(log_.Append(all));
  for (int i = 1; i < 640 + 5; ++i) {
    ASSERT_TRUE(log_.Append({.added = {File(fmt::format("n{:04}", i), "o0007")}}));
  }
  CountingStore counting(store_);
  const CommitLog reader(counting, clock_);
  EXPECT_EQ(reader.Read("o1234")->files.size(), 1);
  EXPECT_EQ(counting.listed, 1);
  EXPECT_LE(counting.opened, 64 + 3);
}

TEST_F(CommitLogTest, AnInventoryCountsWhatIsThere) {
  EXPECT_EQ(log_.TakeInventory({})->version, 0);
  EXPECT_TRUE(log_.TakeInventory({})->holdings.empty());
  ASSERT_TRUE(log_.Append({.added = {File("1", "acme", 3, 5), File("gone", "gone", 9, 1)}}));
  for (int32_t i = 0; i < 99; ++i) {
    ASSERT_TRUE(log_.Append({.added = {File("x" + std::to_string(i), "acme", 5 + i, 2)}}));
  }
  ASSERT_TRUE(log_.Append({.removed = {File("gone", "gone", 9, 1)}}));
  ASSERT_TRUE(
      log_.Append({.added = {File("2", "zeta", -1, 7)}, .removed = {File("1", "acme", 3)}}));
  const CommitLog fresh = NewLog();
  for (const CommitLog* const log : {&fresh, static_cast<const CommitLog*>(&log_)}) {
    const auto all = log->TakeInventory({});
    ASSERT_TRUE(all);
    EXPECT_EQ(all->version, 102);
    ASSERT_EQ(all->holdings.size(), 2);
    const Holding& acme = all->holdings[0];
    EXPECT_EQ(acme.organisation, "acme");
    EXPECT_EQ(std::pair(acme.first_day, acme.last_day), std::pair(5, 103));
    EXPECT_EQ(std::tuple(acme.rows, acme.files, acme.bytes), std::tuple(198, 99, 990U));
    const auto zeta = log->TakeInventory("zeta");
    ASSERT_TRUE(zeta);
    ASSERT_EQ(zeta->holdings.size(), 1);
    EXPECT_EQ(zeta->holdings[0].rows, 7);
    EXPECT_EQ(zeta->holdings[0].first_day, -1);
  }
  const auto unknown = log_.TakeInventory("acmee");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean \"acme\"?"));
  EXPECT_FALSE(log_.TakeInventory("gone"));
}

TEST_F(CommitLogTest, ACheckpointRewritesOnlyShardsThatChanged) {
  Commit all;
  for (int i = 0; i < 500; ++i) {
    all.added.push_back(File(fmt::format("{:04}", i), fmt::format("o{:04}", i)));
  }
  ASSERT_TRUE(log_.Append(all));
  for (int i = 1; i < 64; ++i)
    ASSERT_TRUE(log_.Append({.added = {File(fmt::format("m{}", i), "o0001")}}));
  CountingStore counting(store_);
  CommitLog writer(counting, clock_);
  for (int i = 0; i < 64; ++i) {
    ASSERT_TRUE(writer.Append({.added = {File(fmt::format("n{}", i), "o0001")}}));
  }
  EXPECT_EQ(counting.created, 64 + 1 + 1);  // records, one shard, one root
}

TEST_F(CommitLogTest, ARecordOfANewerFormatIsRefused) {
  const std::string key = CommitKey(1);
  auto writer = *store_.Create(key, storage::Overwrite::kNever);
  ASSERT_TRUE(writer->Write(std::as_bytes(std::span(std::string_view(R"({"format":2})")))));
  ASSERT_TRUE(writer->Finish());
  const auto version = log_.Version();
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(version.error().message, HasSubstr("upgrade"));
}

TEST_F(CommitLogTest, ADamagedRecordIsNamed) {
  auto writer = *store_.Create(CommitKey(1), storage::Overwrite::kNever);
  ASSERT_TRUE(writer->Write(std::as_bytes(std::span(std::string_view("{\"format\":1,")))));
  ASSERT_TRUE(writer->Finish());
  const auto read = log_.Read("acme");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(read.error().message, HasSubstr(CommitKey(1)));
}

std::string OwnKey(int number) {
  return PartitionPrefix("acme", 0) + DataFileName("label", "0123456789abcdef", number);
}

TEST_F(CommitLogTest, VacuumRemovesWhatNoSnapshotSinceThenNames) {
  for (int i = 0; i < 5; ++i) Put(OwnKey(i));
  Put("org=acme/day=1970-01-01/part-0.parquet");
  ASSERT_TRUE(log_.Append({.added = {File(OwnKey(0)), File(OwnKey(1))}}));
  clock_.Advance(hours(1));
  ASSERT_TRUE(log_.Append({.added = {File(OwnKey(2))}, .removed = {File(OwnKey(0))}}));
  clock_.Advance(hours(1));
  const Timestamp between = clock_.Now();
  clock_.Advance(hours(1));
  ASSERT_TRUE(log_.Append({.added = {}, .removed = {File(OwnKey(1))}}));
  clock_.Advance(hours(1));
  Put(OwnKey(5));

  const auto vacuumed = log_.Vacuum(between);
  ASSERT_TRUE(vacuumed);
  EXPECT_EQ(vacuumed->objects, 3);
  EXPECT_EQ(vacuumed->bytes, 12);
  EXPECT_FALSE(Has(OwnKey(0)));  // compacted away before
  EXPECT_TRUE(Has(OwnKey(1)));   // in a snapshot that is newer
  EXPECT_TRUE(Has(OwnKey(2)));   // in the lake
  EXPECT_FALSE(Has(OwnKey(3)));  // a crashed writer's
  EXPECT_FALSE(Has(OwnKey(4)));
  EXPECT_TRUE(Has(OwnKey(5)));                                 // a writer's at work
  EXPECT_TRUE(Has("org=acme/day=1970-01-01/part-0.parquet"));  // not ours
}

/// C10: a job that is under way, or can be redriven, reads the snapshot that it was planned on.
TEST_F(CommitLogTest, VacuumKeepsWhatASnapshotThatIsReadNames) {
  for (int i = 0; i < 3; ++i) Put(OwnKey(i));
  ASSERT_TRUE(log_.Append({.added = {File(OwnKey(0)), File(OwnKey(1))}}));
  ASSERT_TRUE(log_.Append({.added = {}, .removed = {File(OwnKey(0))}}));
  ASSERT_TRUE(log_.Append({.added = {File(OwnKey(2))}, .removed = {File(OwnKey(1))}}));
  clock_.Advance(hours(2));

  EXPECT_EQ(log_.Vacuum(clock_.Now(), 2)->objects, 1);
  EXPECT_FALSE(Has(OwnKey(0)));  // taken out by version 2
  EXPECT_TRUE(Has(OwnKey(1)));   // named by version 2
  EXPECT_TRUE(Has(OwnKey(2)));
  EXPECT_EQ(log_.Vacuum(clock_.Now(), 3)->objects, 1);
  EXPECT_FALSE(Has(OwnKey(1)));
}

TEST_F(CommitLogTest, VacuumKeepsTheHistoryReadable) {
  for (int i = 0; i < 150; ++i) {
    Put(OwnKey(i));
    ASSERT_TRUE(log_.Append({.batch_id = fmt::format("b{}", i), .added = {File(OwnKey(i))}}));
  }
  const CommitLog old_reader = NewLog();
  ASSERT_TRUE(old_reader.Read("acme"));
  for (int i = 150; i < 300; ++i) {
    Put(OwnKey(i));
    ASSERT_TRUE(log_.Append({.batch_id = fmt::format("b{}", i), .added = {File(OwnKey(i))}}));
  }
  clock_.Advance(hours(1));
  ASSERT_GT(log_.Vacuum(clock_.Now())->objects, 0);
  EXPECT_EQ(store_.List(kCheckpointPrefix, "", 100)->size(), 1);
  EXPECT_EQ(old_reader.Read("acme")->files.size(), 300);
  EXPECT_EQ(NewLog().Read("acme")->files.size(), 300);
  EXPECT_EQ(NewLog().Append({.batch_id = "b3", .added = {File("x")}}).error().code,
            ErrorCode::kAlreadyExists);
  EXPECT_EQ(log_.Vacuum(clock_.Now())->objects, 0);
}

/// What came after a record that was lost is no lake without it.
TEST_F(CommitLogTest, ALogWithAHoleIsRefusedAndVacuumRemovesNothing) {
  for (int i = 0; i < 4; ++i) {
    Put(OwnKey(i));
    ASSERT_TRUE(log_.Append({.batch_id = fmt::format("b{}", i), .added = {File(OwnKey(i))}}));
  }
  clock_.Advance(hours(1));
  for (const int64_t lost : {1, 2, 3}) {
    const std::string text = *storage::ReadWhole(store_, CommitKey(lost));
    ASSERT_TRUE(store_.Remove(CommitKey(lost)));
    CommitLog log = NewLog();
    EXPECT_EQ(log.Read("acme").error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(log.Version().error().message, HasSubstr(CommitKey(lost) + " is missing"));
    EXPECT_EQ(log.TakeInventory({}).error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(log.Append({.batch_id = "new", .added = {File("x")}}).error().code,
              ErrorCode::kCorrupt);
    EXPECT_EQ(log.Vacuum(clock_.Now()).error().code, ErrorCode::kCorrupt);
    ASSERT_TRUE(storage::PutWhole(store_, CommitKey(lost), text));
    EXPECT_EQ(log.Read("acme")->files.size(), 4) << "it was put back";
  }
}

TEST_F(CommitLogTest, AVacuumNeedsTheRecordsBeforeTheCheckpointToo) {
  for (int i = 0; i < 70; ++i) {
    Put(OwnKey(i));
    ASSERT_TRUE(log_.Append({.batch_id = fmt::format("b{}", i), .added = {File(OwnKey(i))}}));
  }
  clock_.Advance(hours(1));
  ASSERT_TRUE(store_.Remove(CommitKey(3)));
  CommitLog log = NewLog();
  EXPECT_EQ(log.Read("acme")->files.size(), 70) << "the checkpoint knows";
  EXPECT_EQ(log.Vacuum(clock_.Now()).error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(Has(OwnKey(2)));
}

TEST_F(CommitLogTest, OfManyWritersOfOneBatchExactlyOneWins) {
  constexpr int kThreads = 6;
  constexpr int kBatches = 40;
  std::map<std::string, std::atomic<int>> won;
  for (int i = 0; i < kBatches; ++i) won[fmt::format("b{}", i)] = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        CommitLog mine = NewLog();
        CommitLog& log = t % 2 == 0 ? log_ : mine;
        for (int i = 0; i < kBatches; ++i) {
          const std::string id = fmt::format("b{}", (i * 7 + t * 3) % kBatches);
          const auto version =
              log.Append({.batch_id = id, .added = {File(fmt::format("{}-{}", id, t))}});
          if (version) {
            ++won[id];
          } else {
            EXPECT_EQ(version.error().code, ErrorCode::kAlreadyExists) << version.error().message;
          }
        }
      });
    }
  }
  for (const auto& [id, winners] : won) EXPECT_EQ(winners, 1) << id;
  EXPECT_EQ(*NewLog().Version(), kBatches);
  EXPECT_EQ(NewLog().Read("acme")->files.size(), kBatches);
}

/// Appends batches through a store that dies, then goes on with one that lives. Both cross a
/// checkpoint.
TEST_F(CommitLogTest, ADeathAtAnyCallLeavesEachBatchOnceOrNotAtAll) {
  constexpr int kBefore = 60;
  constexpr int kBatches = 68;
  const auto commit_of = [](int i) {
    const std::string id = fmt::format("b{}", i);
    return Commit{.batch_id = id, .added = {File(id, fmt::format("o{}", i % 2))}};
  };
  for (const auto fatal : {FailingStore::Fatal::kBefore, FailingStore::Fatal::kAfter}) {
    for (int64_t calls = 0;; ++calls) {
      storage::MemoryPlace place;
      storage::MemoryStore store(place, clock_);
      CommitLog first(store, clock_);
      for (int i = 0; i < kBefore; ++i) ASSERT_TRUE(first.Append(commit_of(i)));

      FailingStore failing(store, calls, fatal);
      CommitLog dying(failing, clock_);
      std::set<int> promised;
      for (int i = kBefore; i < kBatches; ++i) {
        if (dying.Append(commit_of(i))) promised.insert(i);
      }
      CommitLog next(store, clock_);
      for (int i = 0; i < kBatches; ++i) {
        const bool there = *next.HasBatch(commit_of(i).batch_id);
        ASSERT_TRUE(there || (i >= kBefore && !promised.contains(i))) << i << " after " << calls;
        ASSERT_EQ(next.Append(commit_of(i)).has_value(), !there) << i << " after " << calls;
      }
      ASSERT_EQ(*next.Version(), kBatches);
      const CommitLog fresh(store, clock_);
      ASSERT_EQ(fresh.Read("o0")->files.size() + fresh.Read("o1")->files.size(), kBatches);
      if (!failing.died()) break;
    }
  }
}

}  // namespace
}  // namespace spillway::lake
