#include "lake/compaction/adopt.h"

#include <memory>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "base/manual_clock.h"
#include "lake/compaction/compact.h"
#include "lake/lake_contents.h"
#include "storage/key.h"
#include "storage/memory/memory_store.h"
#include "storage/objects.h"

namespace spillway::lake {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kDay = 86'400'000'000;

LakeSchema TwoColumns() {
  return {.columns =
              arrow::schema({arrow::field("id", arrow::utf8()),
                             arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"))}),
          .organisation_field = "org",
          .time_column = "at"};
}

template <class Builder, class Values>
std::shared_ptr<arrow::Array> Column(Builder builder, const Values& values) {
  for (const auto& value : values) EXPECT_TRUE(builder.Append(value).ok());
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::Array> Times(const std::vector<int64_t>& times) {
  return Column(arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                        arrow::default_memory_pool()),
                times);
}

class AdoptTest : public testing::Test {
 protected:
  void PutTable(const std::string& key, const std::shared_ptr<arrow::Table>& table,
                int64_t row_group_rows = 2) {
    const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
    const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink,
                                           row_group_rows, parquet::default_writer_properties(),
                                           arrow_properties)
                    .ok());
    PutBytes(key, sink->Finish().ValueOrDie()->ToString());
  }
  void PutBytes(const std::string& key, std::string_view bytes) {
    auto writer = *store_.Create(key, storage::Overwrite::kAllowed);
    ASSERT_TRUE(writer->Write(std::as_bytes(std::span(bytes))));
    ASSERT_TRUE(writer->Finish());
  }
  /// Ids are the times.
  void Put(const std::string& key, const std::vector<int64_t>& times) {
    std::vector<std::string> ids;
    for (int64_t time : times) ids.push_back(std::to_string(time));
    PutTable(key, arrow::Table::Make(schema_.columns,
                                     {Column(arrow::StringBuilder(), ids), Times(times)}));
  }
  Result<AdoptReport> Run() { return Adopt(store_, log_, schema_, {}, {}); }
  std::string Refusal() {
    const auto report = Run();
    EXPECT_FALSE(report);
    if (report) return "";
    EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(*log_.Version(), 0);
    return report.error().message;
  }

  LakeSchema schema_ = TwoColumns();
  ManualClock clock_;
  storage::MemoryPlace place_;
  storage::MemoryStore store_{place_, clock_};
  CommitLog log_{store_, clock_};
};

TEST_F(AdoptTest, FilesAreReadWhereTheyLie) {
  Put("org=a%2Fb/day=1970-01-02/x.parquet", {kDay, kDay + 1, kDay + 1, 2 * kDay - 1, 2 * kDay - 1});
  Put("org=c/day=0/part-0.parquet", {5, 6});
  Put("org=c/y.parquet", {7});
  PutBytes("org=c/day=0/_SUCCESS", "");
  const auto report = Run();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->files, 3);
  EXPECT_EQ(report->rows, 8);
  EXPECT_EQ(report->organisations, 2);
  EXPECT_EQ(report->version, 1);
  EXPECT_THAT(*log_.Organisations(), ElementsAre("a/b", "c"));
  const Snapshot snapshot = *log_.Read("a/b");
  ASSERT_EQ(snapshot.files.size(), 1);
  EXPECT_EQ(snapshot.files[0].day, 1);
  ASSERT_EQ(snapshot.files[0].row_groups.size(), 3);
  EXPECT_EQ(snapshot.files[0].row_groups[1].min_time.time_since_epoch().count(), kDay + 1);
  EXPECT_EQ(snapshot.files[0].row_groups[1].max_time.time_since_epoch().count(), 2 * kDay - 1);
  EXPECT_THAT(Contents(store_, log_, schema_, "c"), ElementsAre("5|5", "6|6", "7|7"));
}

TEST_F(AdoptTest, ASecondTimeTakesOnlyWhatIsNew) {
  Put("org=c/day=0/x.parquet", {5, 6});
  ASSERT_TRUE(Run());
  EXPECT_EQ(Run()->known_files, 1);
  EXPECT_EQ(*log_.Version(), 1);
  Put("org=c/day=0/y.parquet", {6, 7});
  EXPECT_EQ(Run()->files, 1);
  EXPECT_EQ(Contents(store_, log_, schema_, "c").size(), 4);

  // What compaction took out does not come back, though it still lies there.
  Random random(1);
  ASSERT_TRUE(Compact(store_, log_, schema_, {}, random, {}));
  EXPECT_EQ(Run()->files, 0);
  EXPECT_EQ(Contents(store_, log_, schema_, "c").size(), 4);

  // Nor does vacuum take what Spillway did not write: it may hold more than was copied.
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(log_.Vacuum(clock_.Now())->objects, 0);
  EXPECT_EQ(Contents(store_, log_, schema_, "c").size(), 4);
}

TEST_F(AdoptTest, VacuumLeavesFilesWithColumnsThatCompactionDidNotCopy) {
  const auto schema =
      schema_.columns->AddField(2, arrow::field("more", arrow::int64())).ValueOrDie();
  for (const std::string key : {"org=c/day=0/x.parquet", "org=c/day=0/y.parquet"}) {
    PutTable(key, arrow::Table::Make(
                      schema, {Column(arrow::StringBuilder(), std::vector<std::string>{"a", "b"}),
                               Times({1, 2}), Column(arrow::Int64Builder(), std::vector{7, 8})}));
  }
  ASSERT_TRUE(Run());
  Random random(1);
  ASSERT_EQ(Compact(store_, log_, schema_, {}, random, {})->files_before, 2);
  clock_.Advance(std::chrono::hours(1));
  ASSERT_TRUE(log_.Vacuum(clock_.Now()));
  EXPECT_TRUE(store_.Head("org=c/day=0/x.parquet")->has_value());
  EXPECT_TRUE(store_.Head("org=c/day=0/y.parquet")->has_value());
}

TEST_F(AdoptTest, FilesOfALogThatWasLostAreNamed) {
  const std::string own = "org=c/day=1970-01-01/batch-0123456789abcdef-000000.parquet";
  Put(own, {1, 2});
  Put("org=c/day=0/x.parquet", {5, 6});
  const auto report = Run();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->unnamed_files, ElementsAre(own));
  EXPECT_EQ(report->files, 1);
}

TEST_F(AdoptTest, VacuumWithoutALogRemovesNothing) {
  EXPECT_TRUE(log_.Vacuum(clock_.Now()));
  const std::string own = "org=c/day=1970-01-01/batch-0123456789abcdef-000000.parquet";
  Put(own, {1, 2});
  clock_.Advance(std::chrono::hours(1));
  const auto vacuumed = log_.Vacuum(clock_.Now());
  ASSERT_FALSE(vacuumed);
  EXPECT_EQ(vacuumed.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(vacuumed.error().message, HasSubstr("restore _log"));
  EXPECT_TRUE(store_.Head(own)->has_value());
}

TEST_F(AdoptTest, TimesAreReadAfterANestedColumn) {
  const auto ints = Column(arrow::Int64Builder(), std::vector{7, 8});
  const auto nested =
      arrow::StructArray::Make({ints, ints}, std::vector<std::string>{"a", "b"}).ValueOrDie();
  const auto schema =
      arrow::schema({arrow::field("id", arrow::utf8()), arrow::field("pair", nested->type()),
                     schema_.columns->field(1), arrow::field("last", arrow::int64())});
  PutTable("org=c/day=0/x.parquet",
           arrow::Table::Make(
               schema, {Column(arrow::StringBuilder(), std::vector<std::string>{"a", "b"}), nested,
                        Times({kDay, kDay + 1}), ints}));
  const auto report = Run();
  ASSERT_TRUE(report) << report.error().message;
  const Snapshot snapshot = *log_.Read("c");
  EXPECT_EQ(snapshot.files[0].day, 1);
  EXPECT_EQ(snapshot.files[0].min_time().time_since_epoch().count(), kDay);
  EXPECT_THAT(Contents(store_, log_, schema_, "c"),
              ElementsAre(fmt::format("a|{}", kDay), fmt::format("b|{}", kDay + 1)));
}

TEST_F(AdoptTest, WhatScanCannotReadIsRefused) {
  schema_.columns =
      schema_.columns->AddField(2, arrow::field("big", arrow::decimal256(40, 2))).ValueOrDie();
  arrow::Decimal256Builder big(arrow::decimal256(40, 2), arrow::default_memory_pool());
  ASSERT_TRUE(big.Append(arrow::Decimal256(7)).ok());
  PutTable("org=c/day=0/x.parquet",
           arrow::Table::Make(schema_.columns,
                              {Column(arrow::StringBuilder(), std::vector<std::string>{"a"}),
                               Times({1}), big.Finish().ValueOrDie()}));
  EXPECT_THAT(Refusal(), HasSubstr("org=c/day=0/x.parquet cannot be adopted: column \"big\""));
}

TEST_F(AdoptTest, EveryFormOfTextCounts) {
  const std::vector<std::string> ids = {"x", "y", "x"};
  const auto dictionary = arrow::DictionaryArray::FromArrays(
                              Column(arrow::Int32Builder(), std::vector<int>{0, 1, 0}),
                              Column(arrow::StringBuilder(), std::vector<std::string>{"x", "y"}))
                              .ValueOrDie();
  int number = 0;
  for (const std::shared_ptr<arrow::Array>& text :
       {Column(arrow::LargeStringBuilder(), ids), dictionary}) {
    const auto schema =
        arrow::schema({arrow::field("more", arrow::int64()), schema_.columns->field(1),
                       arrow::field("id", text->type())});
    PutTable("org=a/day=x/" + std::to_string(number++) + ".parquet",
             arrow::Table::Make(schema, {Column(arrow::Int64Builder(), std::vector<int>{1, 2, 3}),
                                         Times({1, 2, 3}), text}));
  }
  const auto report = Run();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(Contents(store_, log_, schema_, "a"),
              ElementsAre("x|1", "x|1", "y|2", "y|2", "x|3", "x|3"));
}

TEST_F(AdoptTest, UnsortedFilesAreNamed) {
  Put("org=a/day=0/ok.parquet", {1, 2, 3});
  Put("org=a/day=0/unsorted.parquet", {1, 3, 2, 4});
  EXPECT_THAT(Refusal(), HasSubstr("org=a/day=0/unsorted.parquet cannot be adopted: it is not "
                                   "sorted by time"));
}

TEST_F(AdoptTest, RowGroupsOutOfOrderAreUnsortedToo) {
  Put("org=a/day=0/x.parquet", {3, 4, 1, 2});
  EXPECT_THAT(Refusal(), HasSubstr("not sorted"));
}

TEST_F(AdoptTest, DaysMustBeTheUtcDaysOfTheRows) {
  Put("org=a/day=1970-01-02/x.parquet", {1, 2});
  EXPECT_THAT(Refusal(), HasSubstr("holds rows of 1970-01-01 UTC, not of \"1970-01-02\""));
}

TEST_F(AdoptTest, AFileOfSeveralDaysIsRefused) {
  Put("org=a/x.parquet", {1, kDay});
  EXPECT_THAT(Refusal(), HasSubstr("more than one UTC day"));
}

TEST_F(AdoptTest, AnotherSchemaIsNamed) {
  const auto other = arrow::schema({arrow::field("id", arrow::int64()), schema_.columns->field(1)});
  PutTable(
      "org=a/day=0/x.parquet",
      arrow::Table::Make(other, {Column(arrow::Int64Builder(), std::vector<int>{1}), Times({1})}));
  EXPECT_THAT(Refusal(), HasSubstr("column \"id\" is int64, the lake's is string"));
}

TEST_F(AdoptTest, AMissingColumnIsNamed) {
  PutTable("org=a/day=0/x.parquet",
           arrow::Table::Make(arrow::schema({schema_.columns->field(1)}), {Times({1})}));
  EXPECT_THAT(Refusal(), HasSubstr("no column \"id\""));
}

TEST_F(AdoptTest, TimesWithoutValueAreRefused) {
  arrow::TimestampBuilder times(schema_.columns->field(1)->type(), arrow::default_memory_pool());
  ASSERT_TRUE(times.Append(1).ok());
  ASSERT_TRUE(times.AppendNull().ok());
  PutTable("org=a/day=0/x.parquet",
           arrow::Table::Make(schema_.columns,
                              {Column(arrow::StringBuilder(), std::vector<std::string>{"a", "b"}),
                               times.Finish().ValueOrDie()}));
  EXPECT_THAT(Refusal(), HasSubstr("it has rows without a time"));
}

TEST_F(AdoptTest, WhatIsNoParquetIsNamed) {
  Put("org=a/day=0/a.parquet", {1, 2});
  PutBytes("org=a/day=0/b.parquet", "not Parquet at all, but long enough to hold a footer");
  EXPECT_THAT(Refusal(), HasSubstr("org=a/day=0/b.parquet cannot be adopted: it is no readable"));
}

TEST_F(AdoptTest, G10WhatIsHiddenIsNoData) {
  Put("org=c/part-0.parquet", {1, 2});
  Put("org=c/_flag=1/x.parquet", {3});
  Put("org=c/_temporary/0/task_1/part-0.parquet", {1, 2});
  Put("org=c/.hidden.parquet", {1, 2});
  Put("org=c/.staging=1/x.parquet", {1, 2});
  Put("org=c/_x=1.parquet", {1, 2});
  PutBytes("org=c/.part-0.parquet.crc", "crc");
  PutBytes("org=c/_SUCCESS", "");
  PutBytes("org=c/x.csv", "a,b");
  Put("a.parquet", {1, 2});
  Put("deeper/org=c/b.parquet", {1, 2});
  const auto report = Run();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->files, 2);
  EXPECT_EQ(report->hidden.files, 6);
  EXPECT_EQ(report->hidden.first, "org=c/.hidden.parquet");
  EXPECT_EQ(report->other.files, 1);
  EXPECT_EQ(report->other.first, "org=c/x.csv");
  EXPECT_EQ(report->outside.files, 2);
  EXPECT_EQ(report->outside.first, "a.parquet");
  EXPECT_THAT(Contents(store_, log_, schema_, "c"), ElementsAre("1|1", "2|2", "3|3"));
}

TEST_F(AdoptTest, AnEmptyFileIsNamed) {
  PutBytes("org=c/x.parquet", "");
  EXPECT_THAT(Refusal(), HasSubstr("org=c/x.parquet cannot be adopted: it is empty"));
}

TEST_F(AdoptTest, G09HivesNullIsNoOrganisation) {
  Put("org=__HIVE_DEFAULT_PARTITION__/day=0/x.parquet", {1, 2});
  EXPECT_THAT(Refusal(), HasSubstr("org=__HIVE_DEFAULT_PARTITION__ stands for rows without"));
}

TEST_F(AdoptTest, G09OrganisationsThatAPathDoesNotNameAreRefused) {
  const std::string shortened = "org=" + storage::EscapeKeySegment(std::string(300, 'a'));
  for (const std::string& path : {std::string("org="), std::string("org=a/org=b"),
                                  std::string("org=%5F_HIVE_DEFAULT_PARTITION__"),
                                  std::string("org=a/org=a"), std::string("org=%FF"), shortened}) {
    SCOPED_TRACE(path);
    storage::MemoryPlace place;
    storage::MemoryStore store(place, clock_);
    CommitLog log(store, clock_);
    Put("org=c/x.parquet", {1});
    const std::string bytes = *storage::ReadWhole(store_, "org=c/x.parquet");
    ASSERT_TRUE(storage::PutWhole(store, path + "/x.parquet", bytes));
    const auto report = Adopt(store, log, schema_, {}, {});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument) << report.error().message;
  }
}

TEST_F(AdoptTest, G09EscapedNamesAreRead) {
  Put("org=a%20b/x.parquet", {1});
  Put("org=50%/x.parquet", {2});
  Put("org=%C3%A9/x.parquet", {3});
  ASSERT_TRUE(Run());
  EXPECT_THAT(*log_.Organisations(), ElementsAre("50%", "a b", "é"));
}

TEST_F(AdoptTest, AnEmptyDirectoryAdoptsNothing) {
  const auto report = Run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->files, 0);
  EXPECT_EQ(report->version, 0);
}

}  // namespace
}  // namespace spillway::lake
