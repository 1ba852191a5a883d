#include "lake/read/read_plan.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <date/date.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/time_zone.h"
#include "lake/sample_lake.h"

namespace spillway::lake {
namespace {

constexpr int64_t kDay = 86'400'000'000;
/// 2025-03-28: the days after it hold a change to summer time in Europe.
constexpr int64_t kStart = 1'743'120'000'000'000;

Timestamp Instant(int64_t microseconds) {
  return Timestamp(std::chrono::microseconds(microseconds));
}

int64_t Below(std::mt19937_64& random, int64_t bound) {
  return static_cast<int64_t>(random() % static_cast<uint64_t>(bound));
}

struct PlacedRow {
  int64_t time;
  size_t file;
  size_t row_group;
  std::string id;
};

/// A lake of random files, and all their rows as a reader shall see them.
struct RandomLake {
  explicit RandomLake(std::mt19937_64& random) {
    const int64_t files = Below(random, 14);
    // Few instants make many ties.
    const int64_t instants = std::vector<int64_t>{3, 40, 5000, kDay}[Below(random, 4)];
    const int64_t rows_most = std::vector<int64_t>{4, 60, 700}[Below(random, 3)];
    const bool in_turn = Below(random, 3) == 0;
    std::vector<std::vector<SampleRow>> rows_of;
    for (int64_t f = 0; f < files; ++f) {
      const int64_t day = kStart + Below(random, 4) * kDay;
      const int64_t begin = in_turn ? f * instants / files : Below(random, instants);
      const int64_t span =
          std::max<int64_t>(1, in_turn ? instants / files : Below(random, instants - begin) + 1);
      std::vector<int64_t> times(1 + Below(random, rows_most));
      for (int64_t& time : times) {
        time = day + (begin + Below(random, span)) * (kDay / instants);
      }
      std::ranges::sort(times);
      std::vector<SampleRow> rows;
      for (size_t row = 0; row < times.size(); ++row) {
        rows.push_back({times[row], "f" + std::to_string(f) + "r" + std::to_string(row)});
      }
      const std::string key = "org=sample/day=x/" + std::to_string(f) + ".parquet";
      const int64_t per_group = 1 + Below(random, rows_most);
      snapshot.files.push_back(lake.Put(key, rows, per_group));
      rows_of.push_back(std::move(rows));
    }
    Arrange(rows_of);
  }

  void Arrange(const std::vector<std::vector<SampleRow>>& rows_of) {
    const auto unsorted = snapshot.files;
    std::ranges::sort(snapshot.files, {}, [](const DataFile& file) {
      return std::tuple(file.day, file.min_time(), file.key);
    });
    for (size_t f = 0; f < snapshot.files.size(); ++f) {
      const auto put = std::ranges::find(unsorted, snapshot.files[f].key, &DataFile::key);
      const auto& rows_here = rows_of[put - unsorted.begin()];
      size_t at = 0;
      for (size_t g = 0; g < put->row_groups.size(); ++g) {
        for (int64_t i = 0; i < put->row_groups[g].rows; ++i, ++at) {
          rows.push_back({rows_here[at].time, f, g, rows_here[at].id});
        }
      }
    }
    std::ranges::stable_sort(rows, {}, &PlacedRow::time);
  }

  SampleLake lake;
  Snapshot snapshot;
  std::vector<PlacedRow> rows;
};

int64_t DayIn(const std::optional<std::string>& zone, int64_t time) {
  if (!zone) return 0;
  static std::map<std::string, TimeZone> zones;
  const auto [found, is_new] = zones.try_emplace(*zone);
  if (is_new) found->second = *FindTimeZone(*zone);
  const auto local = found->second.LocalTimeAt(Instant(time));
  return date::floor<date::days>(local).time_since_epoch().count();
}

void ExpectPlanned(RandomLake& random_lake, TimeRange range, const CutOptions& options) {
  std::vector<PlacedRow> expected;
  std::set<std::pair<size_t, size_t>> groups_with_rows;
  for (const PlacedRow& row : random_lake.rows) {
    if (Instant(row.time) < range.begin || Instant(row.time) >= range.end) continue;
    expected.push_back(row);
    groups_with_rows.emplace(row.file, row.row_group);
  }

  SampleLake& lake = random_lake.lake;
  const auto plan = PlanRead(lake.store(), lake.schema(), random_lake.snapshot, range, options, {});
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_EQ(plan->rows, std::ssize(expected));
  EXPECT_EQ(plan->row_groups, std::ssize(groups_with_rows));

  size_t at = 0;
  int64_t in_day = 0;
  for (const ReadUnit& unit : plan->units) {
    ASSERT_GT(unit.rows, 0);
    ASSERT_LE(at + unit.rows, expected.size());
    const auto scanned = lake.ScanIds(unit);
    ASSERT_TRUE(scanned.has_value()) << scanned.error().message;
    ASSERT_EQ(std::ssize(*scanned), unit.rows);
    const std::span<const PlacedRow> here(expected.data() + at, unit.rows);
    for (size_t i = 0; i < here.size(); ++i) ASSERT_EQ((*scanned)[i], here[i].id) << at + i;

    const bool one_row_group = unit.slices.size() == 1 && unit.slices[0].row_groups == 1;
    const bool one_instant = here.front().time == here.back().time;
    EXPECT_TRUE(unit.rows <= options.rows_max || one_row_group || one_instant) << unit.rows;
    if (options.rows_per_file > 0) {
      EXPECT_EQ(in_day / options.rows_per_file, (in_day + unit.rows - 1) / options.rows_per_file);
    }
    const int64_t day = DayIn(options.daily_in_zone, here.front().time);
    EXPECT_EQ(day, DayIn(options.daily_in_zone, here.back().time));
    EXPECT_EQ(ReadUnitFromJson(ToJson(unit)).value(), unit);

    at += unit.rows;
    in_day += unit.rows;
    if (at < expected.size() && DayIn(options.daily_in_zone, expected[at].time) != day) in_day = 0;
  }
  EXPECT_EQ(at, expected.size());
}

TEST(ReadPlanTest, UnitsHoldWhatABruteForceFinds) {
  for (int seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    RandomLake lake(random);
    for (int draw = 0; draw < 4; ++draw) {
      int64_t begin = kStart - kDay + Below(random, 6 * kDay);
      int64_t end = begin + Below(random, 4 * kDay);
      if (Below(random, 4) == 0) begin = kStart - kDay, end = kStart + 5 * kDay;
      if (!lake.rows.empty() && Below(random, 3) == 0) {
        begin = lake.rows[Below(random, std::ssize(lake.rows))].time;
        end = std::max(begin, lake.rows[Below(random, std::ssize(lake.rows))].time);
      }
      CutOptions options = {.rows_max = 1 + Below(random, 300)};
      if (Below(random, 3) == 0) options.rows_per_file = 1 + Below(random, 200);
      const char* zones[] = {"UTC", "Europe/Vienna", "America/Sao_Paulo", "Asia/Kathmandu"};
      if (Below(random, 2) == 0) options.daily_in_zone = zones[Below(random, 4)];
      ExpectPlanned(lake, {Instant(begin), Instant(end)}, options);
      if (HasFatalFailure()) return;
    }
  }
}

std::vector<SampleRow> RowsAt(int64_t first, int64_t step, int64_t rows, const std::string& name) {
  std::vector<SampleRow> made;
  for (int64_t i = 0; i < rows; ++i) {
    made.push_back({first + i * step, name + std::to_string(i)});
  }
  return made;
}

/// A store whose objects may not be opened.
class ClosedStore final : public storage::ObjectStore {
 public:
  Result<std::unique_ptr<storage::ObjectWriter>> Create(std::string_view,
                                                        storage::Overwrite) override {
    return Closed();
  }
  Result<std::unique_ptr<storage::ObjectReader>> Open(std::string_view, std::stop_token) override {
    return Closed();
  }
  Result<std::optional<storage::ObjectInfo>> Head(std::string_view) override { return Closed(); }
  Result<std::vector<storage::ObjectInfo>> List(std::string_view, std::string_view,
                                                size_t) override {
    return Closed();
  }
  Result<uint64_t> Remove(std::string_view) override { return Closed(); }
  Result<std::unique_ptr<storage::Stage>> CreateStage(
      std::string_view, const std::optional<storage::StageTarget>&) override {
    return Closed();
  }
  Result<> Sync(std::string_view) override { return Closed(); }
  Result<storage::ObjectInfo> Compose(std::string_view, std::span<const storage::ObjectRange>,
                                      std::stop_token) override {
    return Closed();
  }

 private:
  static std::unexpected<Error> Closed() { return Fail(ErrorCode::kUnavailable, "closed"); }
};

class PlannedLake : public testing::Test {
 protected:
  Result<ReadPlan> Plan(int64_t begin, int64_t end, const CutOptions& options = {}) {
    return PlanRead(lake_.store(), lake_.schema(), snapshot_, {Instant(begin), Instant(end)},
                    options, stop_.get_token());
  }

  SampleLake lake_;
  Snapshot snapshot_ = {.version = 7};
  std::stop_source stop_;
};

TEST_F(PlannedLake, ReadsNothingWhereTheLogSuffices) {
  for (int64_t day = 0; day < 10; ++day) {
    snapshot_.files.push_back(
        lake_.Put("day" + std::to_string(day), RowsAt(kStart + day * kDay, 1000, 1000, "r"), 100));
  }
  ClosedStore closed;
  const auto plan =
      PlanRead(closed, lake_.schema(), snapshot_,
               {Instant(kStart + 2 * kDay), Instant(kStart + 5 * kDay)}, {.rows_max = 450}, {});
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_EQ(plan->version, 7);
  EXPECT_EQ(plan->rows, 3000);
  EXPECT_EQ(plan->partitions, 3);
  EXPECT_EQ(plan->partitions_pruned, 7);
  EXPECT_EQ(plan->files, 3);
  EXPECT_EQ(plan->files_pruned, 7);
  EXPECT_EQ(plan->row_groups, 30);
  EXPECT_EQ(plan->row_groups_pruned, 70);
  EXPECT_EQ(plan->bytes, 3000u);
  EXPECT_EQ(plan->bytes_pruned, 7000u);
  std::vector<int64_t> rows;
  for (const ReadUnit& unit : plan->units) rows.push_back(unit.rows);
  EXPECT_THAT(rows, testing::ElementsAre(400, 400, 400, 400, 400, 400, 400, 200));
}

TEST_F(PlannedLake, PutsHundredsOfTinyFilesIntoOneUnit) {
  for (int64_t i = 0; i < 300; ++i) {
    const std::string name = "f" + std::to_string(1000 + i) + "-";
    snapshot_.files.push_back(lake_.Put(name, RowsAt(kStart + i * 1000, 10, 5, name), 100));
  }
  const auto plan = Plan(kStart, kStart + kDay);
  ASSERT_TRUE(plan.has_value());
  ASSERT_EQ(plan->units.size(), 1u);
  EXPECT_EQ(plan->units[0].slices.size(), 300u);
  EXPECT_EQ(lake_.ScanIds(plan->units[0]).value().size(), 1500u);
}

TEST_F(PlannedLake, CutsALargeOverlapEvenly) {
  for (int64_t i = 0; i < 8; ++i) {
    const std::string name = "f" + std::to_string(i) + "-";
    snapshot_.files.push_back(lake_.Put(name, RowsAt(kStart + i, 8, 1000, name), 400));
  }
  const auto plan = Plan(kStart, kStart + kDay, {.rows_max = 3000});
  ASSERT_TRUE(plan.has_value());
  std::vector<int64_t> rows;
  for (const ReadUnit& unit : plan->units) rows.push_back(unit.rows);
  EXPECT_THAT(rows, testing::ElementsAre(1600, 1600, 1600, 1600, 1600));
}

TEST_F(PlannedLake, AnEmptyRangeHasNoUnits) {
  snapshot_.files.push_back(lake_.Put("f", RowsAt(kStart, 1, 10, "r"), 10));
  const auto empty = Plan(kStart + 3, kStart + 3);
  ASSERT_TRUE(empty.has_value());
  EXPECT_EQ(empty->rows, 0);
  EXPECT_TRUE(empty->units.empty());
  EXPECT_EQ(empty->row_groups_pruned, 1);
}

TEST_F(PlannedLake, RefusesWhatMakesNoSense) {
  const auto reversed = Plan(kStart + 1, kStart);
  ASSERT_FALSE(reversed.has_value());
  EXPECT_EQ(reversed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(reversed.error().message, testing::HasSubstr("2025-03-28T00:00:00"));
  const auto zone = Plan(kStart, kStart + 1, {.daily_in_zone = "Europe/Vienn"});
  ASSERT_FALSE(zone.has_value());
  EXPECT_EQ(zone.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(zone.error().message, testing::HasSubstr("Europe/Vienna"));
  EXPECT_FALSE(Plan(kStart, kStart + 1, {.rows_max = 0}).has_value());
}

TEST_F(PlannedLake, StopsWhenAsked) {
  snapshot_.files.push_back(lake_.Put("f", RowsAt(kStart, 1, 10, "r"), 10));
  stop_.request_stop();
  const auto plan = Plan(kStart + 3, kStart + 5);
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code, ErrorCode::kCancelled);
}

TEST_F(PlannedLake, NoticesAFileOfOtherTimesThanTheLogSays) {
  auto file = lake_.Put("f", RowsAt(kStart, 1, 10, "r"), 10);
  file.row_groups[0].min_time = Instant(kStart + 1);
  snapshot_.files.push_back(file);
  const auto plan = Plan(kStart + 3, kStart + 5);
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(plan.error().message, testing::HasSubstr("lake file f has rows outside the times"));
}

TEST(ReadUnitTest, RefusesWhatIsNoUnit) {
  for (const char* text : {"", "{}", "[]", "{\"begin\":1", "{\"begin\":1,\"end\":\"x\"}"}) {
    const auto unit = ReadUnitFromJson(text);
    ASSERT_FALSE(unit.has_value()) << text;
    EXPECT_EQ(unit.error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(unit.error().message.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace spillway::lake
