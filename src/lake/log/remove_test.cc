#include "lake/log/remove.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "lake/compaction/adopt.h"
#include "lake/compaction/compact.h"
#include "lake/failing_store.h"
#include "lake/handmade_parquet.h"
#include "lake/lake_contents.h"
#include "storage/memory/memory_store.h"
#include "storage/objects.h"

namespace spillway::lake {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RemoveTest : public testing::Test {
 protected:
  RemoveTest() {
    Put("org=c/a.parquet", {1, 2});
    Put("org=c/b.parquet", {3});
    Put("org=c/more/c.parquet", {4});
    Put("org=d/a.parquet", {5});
    EXPECT_EQ(Adopt(store_, log_, schema_, {}, {})->files, 4);
  }
  void Put(const std::string& key, const std::vector<int64_t>& times) {
    std::mt19937_64 random(1);
    std::vector<std::optional<std::string>> ids;
    for (const int64_t time : times) ids.emplace_back(std::to_string(time));
    ASSERT_TRUE(storage::PutWhole(store_, key, HandmadeParquet(ids, times, {}, random)));
  }
  Error Refusal(const std::vector<std::string>& names) {
    const auto before = Contents(store_, log_, schema_);
    const int64_t version = *log_.Version();
    const auto removed = RemoveAdopted(log_, names);
    EXPECT_FALSE(removed);
    EXPECT_EQ(*log_.Version(), version);
    EXPECT_EQ(Contents(store_, log_, schema_), before);
    return removed ? Error{} : removed.error();
  }

  LakeSchema schema_ = {.columns = arrow::schema(
                            {arrow::field("id", arrow::utf8()),
                             arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"))}),
                        .organisation_field = "org",
                        .time_column = "at"};
  ManualClock clock_;
  storage::MemoryPlace place_;
  storage::MemoryStore store_{place_, clock_};
  CommitLog log_{store_, clock_};
};

TEST_F(RemoveTest, G03AdoptedFilesAreTakenOutInOneCommit) {
  const auto removed = RemoveAdopted(log_, {"org=c/b.parquet", "org=d/a.parquet"});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(removed->files, 2);
  EXPECT_EQ(removed->rows, 2);
  EXPECT_EQ(removed->version, 2);
  EXPECT_THAT(Contents(store_, log_, schema_), ElementsAre("c|1|1", "c|2|2", "c|4|4"));
  EXPECT_TRUE(store_.Head("org=c/b.parquet")->has_value());

  const auto again = Adopt(store_, log_, schema_, {}, {});
  EXPECT_EQ(again->files, 0);
  EXPECT_EQ(again->taken_out.files, 2);
  EXPECT_EQ(again->taken_out.first, "org=c/b.parquet");
}

TEST_F(RemoveTest, ADirectoryStandsForWhatWasAdoptedBelowIt) {
  EXPECT_EQ(RemoveAdopted(log_, {"org=c/more/"})->files, 1);
  EXPECT_EQ(RemoveAdopted(log_, {"org=c/", "org=c/a.parquet"})->files, 2);
  EXPECT_THAT(Contents(store_, log_, schema_), ElementsAre("d|5|5"));
}

TEST_F(RemoveTest, WhatIsNotThereIsSaidAndNothingRemoved) {
  const Error unknown = Refusal({"org=c/a.parquet", "org=c/d.parquet"});
  EXPECT_EQ(unknown.code, ErrorCode::kNotFound);
  EXPECT_THAT(unknown.message, HasSubstr("org=c/d.parquet is not in the lake; did you mean org="));
  EXPECT_EQ(Refusal({"org=c"}).code, ErrorCode::kNotFound);
  EXPECT_EQ(Refusal({"org=e/"}).code, ErrorCode::kNotFound);
  EXPECT_EQ(Refusal({""}).code, ErrorCode::kNotFound);
  ASSERT_TRUE(RemoveAdopted(log_, {"org=c/a.parquet"}));
  EXPECT_EQ(Refusal({"org=c/a.parquet"}).message,
            "org=c/a.parquet was taken out of the lake before");
}

TEST_F(RemoveTest, SpillwaysOwnFilesStay) {
  Random random(1);
  ASSERT_EQ(Compact(store_, log_, schema_, {.organisation = "c"}, random, {})->files_before, 3);
  const std::string own = log_.Read("c")->files.front().key;
  const Error refused = Refusal({own});
  EXPECT_EQ(refused.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.message, HasSubstr("was written by Spillway itself"));
  const Error compacted = Refusal({"org=c/a.parquet"});
  EXPECT_EQ(compacted.code, ErrorCode::kConflict);
  EXPECT_THAT(compacted.message, HasSubstr("a compaction has put its rows into a file"));
}

TEST_F(RemoveTest, ItHoldsAcrossACheckpoint) {
  ASSERT_TRUE(RemoveAdopted(log_, {"org=c/more/"}));
  for (int i = 0; i < 70; ++i) {
    ASSERT_TRUE(log_.Append({.batch_id = std::to_string(i)}));
  }
  EXPECT_EQ(RemoveAdopted(log_, {"org=c/a.parquet"})->rows, 2);
  CommitLog fresh(store_, clock_);
  EXPECT_THAT(Contents(store_, fresh, schema_), ElementsAre("c|3|3", "d|5|5"));
}

}  // namespace
}  // namespace spillway::lake
