#include "lake/compaction/compact.h"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "lake/compaction/compact_groups.h"
#include "lake/failing_store.h"
#include "lake/ingest/ingest.h"
#include "lake/lake_contents.h"
#include "storage/memory/memory_store.h"

namespace spillway::lake {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

DataFile File(std::string key, int64_t begin, int64_t end, int64_t rows, int32_t day = 0) {
  const auto at = [&](int64_t micros) {
    return Timestamp(std::chrono::days(day)) + std::chrono::microseconds(micros);
  };
  return {.key = std::move(key),
          .day = day,
          .row_groups = {{.rows = rows, .min_time = at(begin), .max_time = at(end)}}};
}

std::vector<std::string> Names(const std::vector<std::vector<DataFile>>& groups) {
  std::vector<std::string> names;
  for (const auto& group : groups) {
    std::string name;
    for (const DataFile& file : group) name += file.key;
    names.push_back(name);
  }
  return names;
}

TEST(CompactGroupsTest, SmallNeighboursOfOneDayAreMerged) {
  const std::vector<DataFile> files = {File("a", 0, 9, 5),     File("b", 10, 19, 5),
                                       File("c", 20, 29, 500), File("d", 30, 39, 500),
                                       File("e", 40, 49, 5),   File("f", 0, 9, 5, 1)};
  EXPECT_THAT(Names(CompactGroups(files, 100, 10'000)), ElementsAre("abc", "de"));
}

TEST(CompactGroupsTest, LargeFilesThatDoNotOverlapStay) {
  const std::vector<DataFile> files = {File("a", 0, 9, 500), File("b", 9, 19, 500),
                                       File("c", 19, 29, 500)};
  EXPECT_THAT(CompactGroups(files, 100, 10'000), IsEmpty());
}

TEST(CompactGroupsTest, FilesThatOverlapAreMergedHoweverLarge) {
  const std::vector<DataFile> files = {File("a", 0, 20, 50'000), File("b", 5, 8, 50'000),
                                       File("c", 19, 29, 50'000), File("d", 30, 39, 50'000)};
  EXPECT_THAT(Names(CompactGroups(files, 100, 10'000)), ElementsAre("abc"));
}

TEST(CompactGroupsTest, AGroupOfSmallFilesEndsWhereTheFileIsFull) {
  std::vector<DataFile> files;
  for (int i = 0; i < 6; ++i) {
    files.push_back(File(std::string(1, static_cast<char>('a' + i)), i * 10, i * 10 + 9, 40));
  }
  EXPECT_THAT(Names(CompactGroups(files, 1000, 130)), ElementsAre("abc", "def"));
}

/// A lake of many small ingests whose rows overlap in time.
class CompactTest : public testing::Test {
 protected:
  void IngestBatch(storage::ObjectStore& store, CommitLog& log, int batch, int rows = 40) {
    std::string text;
    for (int i = 0; i < rows; ++i) {
      text += fmt::format(
          R"({{"organisation":"o{}","at":"2026-01-0{}T00:00:{:02}.{:06}Z","id":"{}-{}","count":{}}})"
          "\n",
          i % 2, 1 + i % 3, (batch * 7 + i) % 60, batch, batch, i, i);
    }
    IngestOptions options;
    options.files.row_group_rows = 16;
    Random random(static_cast<uint64_t>(batch) + 1);
    RejectedText rejected;
    const auto input = NdjsonFromMemory(text, "memory");
    const auto report = Ingest(store, log, schema_, *input, rejected, options, random, {}, {});
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_EQ(report->rows, rows) << rejected.text;
  }

  Result<CompactReport> Run(storage::ObjectStore& store, CommitLog& log, uint64_t seed,
                            const CompactOptions& options) {
    Random random(seed);
    return Compact(store, log, schema_, options, random, {});
  }

  static CompactOptions Small() {
    CompactOptions options;
    options.files.row_group_rows = 16;
    options.files.page_rows = 8;
    options.file_rows = 1000;
    return options;
  }

  const LakeSchema schema_ = MessageSchema();
  ManualClock clock_;
  storage::MemoryPlace place_;
  storage::MemoryStore store_{place_, clock_};
  CommitLog log_{store_, clock_};
};

TEST_F(CompactTest, TheLakeHoldsTheSameInFewerFiles) {
  for (int batch = 0; batch < 6; ++batch) IngestBatch(store_, log_, batch);
  const auto before = Contents(store_, log_, schema_);
  const auto report = Run(store_, log_, 99, Small());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->partitions, 6);
  EXPECT_EQ(report->files_before, 36);
  EXPECT_EQ(report->files_after, 6);
  EXPECT_EQ(report->rows, 240);
  EXPECT_EQ(report->conflicts, 0);
  EXPECT_EQ(Contents(store_, log_, schema_), before);
  EXPECT_EQ(log_.Read("o0")->files.size(), 3);

  const auto again = Run(store_, log_, 100, Small());
  EXPECT_EQ(again->partitions, 0);
}

TEST_F(CompactTest, FilesAreCutAtTheirRows) {
  for (int batch = 0; batch < 6; ++batch) IngestBatch(store_, log_, batch);
  const auto before = Contents(store_, log_, schema_);
  CompactOptions options = Small();
  options.organisation = "o1";
  options.file_rows = 25;
  const auto report = Run(store_, log_, 99, options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->partitions, 3);
  const auto snapshot = log_.Read("o1");
  for (const DataFile& file : snapshot->files) EXPECT_LE(file.rows(), 25);
  EXPECT_EQ(log_.Read("o0")->files.size(), 18);
  EXPECT_EQ(Contents(store_, log_, schema_), before);
}

TEST_F(CompactTest, AnUnknownOrganisationIsNamed) {
  CompactOptions options = Small();
  options.organisation = "nobody";
  EXPECT_EQ(Run(store_, log_, 1, options).error().code, ErrorCode::kNotFound);
}

TEST_F(CompactTest, AReaderOfAnOlderSnapshotIsNotDisturbedUntilVacuum) {
  for (int batch = 0; batch < 3; ++batch) IngestBatch(store_, log_, batch);
  const Snapshot old = *log_.Read("o0");
  ASSERT_TRUE(Run(store_, log_, 99, Small()));
  for (const DataFile& file : old.files) EXPECT_TRUE(store_.Head(file.key)->has_value());
  clock_.Advance(std::chrono::hours(1));
  const auto before = Contents(store_, log_, schema_);
  EXPECT_EQ(log_.Vacuum(clock_.Now())->objects, 18);
  for (const DataFile& file : old.files) EXPECT_FALSE(store_.Head(file.key)->has_value());
  EXPECT_EQ(Contents(store_, log_, schema_), before);
}

TEST_F(CompactTest, IngestAndTwoCompactionsAtOnceLoseAndDoubleNothing) {
  std::vector<std::jthread> threads;
  threads.emplace_back([&] {
    for (int batch = 0; batch < 20; ++batch) IngestBatch(store_, log_, batch);
  });
  for (uint64_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      for (uint64_t run = 0; run < 10; ++run) {
        const auto report = Run(store_, log_, 1000 + i * 100 + run, Small());
        EXPECT_TRUE(report) << report.error().message;
      }
    });
  }
  threads.clear();
  std::vector<std::string> rows = Contents(store_, log_, schema_);
  std::ranges::sort(rows);
  EXPECT_EQ(rows.size(), 800);
  EXPECT_EQ(std::ranges::adjacent_find(rows), rows.end());
}

TEST_F(CompactTest, ADeathAtAnyCallChangesNoRow) {
  for (const auto fatal : {FailingStore::Fatal::kBefore, FailingStore::Fatal::kAfter}) {
    for (int64_t calls = 0;; calls += 3) {
      storage::MemoryPlace place;
      storage::MemoryStore store(place, clock_);
      CommitLog log(store, clock_);
      for (int batch = 0; batch < 2; ++batch) IngestBatch(store, log, batch, 12);
      const auto before = Contents(store, log, schema_);

      FailingStore failing(store, calls, fatal);
      CommitLog dying(failing, clock_);
      CompactOptions options = Small();
      options.threads = 1;
      static_cast<void>(Run(failing, dying, 99, options).has_value());
      ASSERT_EQ(Contents(store, log, schema_), before) << calls;

      ASSERT_TRUE(Run(store, log, 100, options));
      clock_.Advance(std::chrono::hours(1));
      ASSERT_TRUE(log.Vacuum(clock_.Now()));
      ASSERT_EQ(Contents(store, log, schema_), before) << calls;
      ASSERT_THAT(Debris(store, log), IsEmpty());
      ASSERT_EQ(store.List("org=", "", 100)->size(), 6);
      if (!failing.died()) break;
    }
  }
}

}  // namespace
}  // namespace spillway::lake
