// Parquet files in forms that writers other than Arrow make: what Adopt takes, Scan reads, and
// reads right.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include "base/manual_clock.h"
#include "lake/compaction/adopt.h"
#include "lake/handmade_parquet.h"
#include "lake/lake_contents.h"
#include "storage/memory/memory_store.h"
#include "storage/objects.h"

namespace spillway::lake {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

LakeSchema Schema(const std::string& time, const std::string& text) {
  return {
      .columns = arrow::schema({arrow::field(time, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                                arrow::field(text, arrow::utf8())}),
      .organisation_field = "org",
      .time_column = time};
}

/// A lake with one file that somebody else wrote.
struct Lake {
  explicit Lake(LakeSchema of, std::string_view bytes) : schema(std::move(of)) {
    EXPECT_TRUE(storage::PutWhole(store, "org=c/x.parquet", bytes));
  }
  Result<AdoptReport> Take() { return Adopt(store, log, schema, {.threads = 2}, {}); }
  std::vector<std::string> Rows() { return Contents(store, log, schema, "c"); }

  LakeSchema schema;
  ManualClock clock;
  storage::MemoryPlace place;
  storage::MemoryStore store{place, clock};
  CommitLog log{store, clock};
};

std::string Case(const std::string& name) {
  std::ifstream file(CASES + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> TextOfCase(std::string_view bytes) {
  Lake lake(Schema("ts", "s"), bytes);
  const auto report = lake.Take();
  EXPECT_TRUE(report) << report.error().message;
  std::vector<std::string> text;
  for (const std::string& row : lake.Rows()) text.push_back(row.substr(row.find('|') + 1));
  return text;
}

TEST(OddFilesTest, G03LevelsOfBitPackedEncodingAreRead) {
  EXPECT_THAT(TextOfCase(Case("g02-bitpacked-levels.parquet")),
              ElementsAre("aa", "b", "", "dddd", "aa", "b", "", "dddd"));
}

TEST(OddFilesTest, G03LevelsThatReadDifferentlyInTwoOrdersAreRefused) {
  std::string bytes = Case("g02-bitpacked-levels.parquet");
  const size_t levels = bytes.find("\xFF\x02");
  ASSERT_NE(levels, std::string::npos);
  bytes[levels] = 0x0F;
  Lake lake(Schema("ts", "s"), bytes);
  const auto report = lake.Take();
  ASSERT_FALSE(report);
  EXPECT_EQ(
      report.error().message,
      "org=c/x.parquet cannot be adopted: it cannot be read: column 's' has levels in the old "
      "encoding BIT_PACKED, which readers take in two orders of bits: rewrite the file");
  EXPECT_EQ(*lake.log.Version(), 0);
  bytes[levels] = '\xC3';  // The same from both ends.
  EXPECT_THAT(TextOfCase(bytes), ElementsAre("aa", "b", "-", "-", "-", "-", "", "dddd"));
}

TEST(OddFilesTest, G03RunsOfNoLengthAreRead) {
  EXPECT_THAT(TextOfCase(Case("g02-zero-bp-run-mid.parquet")), ElementsAre("aa", "b", "-", "-"));
  EXPECT_THAT(TextOfCase(Case("g02-dict-zero-index-run.parquet")),
              ElementsAre("x", "yy", "zzz", "x"));
}

TEST(OddFilesTest, G03PagesThatDoNotReadAreRefusedThoughTheFooterDoes) {
  std::string bytes = Case("g02-dict-zero-index-run.parquet");
  const size_t indices = bytes.find(std::string("\x02\x00\x00\x03\x24", 5));
  ASSERT_NE(indices, std::string::npos);
  bytes[indices + 4] = '\x3C';  // Entry 3 of 3.
  Lake lake(Schema("ts", "s"), bytes);
  EXPECT_THAT(lake.Take().error().message,
              HasSubstr("it cannot be read: column 's' has a page with broken values"));
  EXPECT_EQ(*lake.log.Version(), 0);
}

TEST(OddFilesTest, TextThatIsNotUtf8IsRefused) {
  std::string bytes = Case("g02-bitpacked-levels.parquet");
  bytes[bytes.find("dddd")] = '\xE9';
  Lake lake(Schema("ts", "s"), bytes);
  EXPECT_THAT(lake.Take().error().message, HasSubstr("column \"s\" has text that is not UTF-8"));
}

/// What Arrow's reader makes of the file, as Contents shows it; nothing where it reads none.
std::vector<std::string> ReadByArrow(const std::string& bytes) {
  std::vector<std::string> rows;
  try {
    auto reader = parquet::arrow::FileReader::Make(
        arrow::default_memory_pool(),
        parquet::ParquetFileReader::Open(
            std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes))));
    if (!reader.ok()) return {};
    const auto table = (*reader)->ReadTable();
    if (!table.ok()) return {};
    const auto batch = (*table)->CombineChunksToBatch();
    const auto& ids = static_cast<const arrow::StringArray&>(*(*batch)->column(0));
    const auto& times = static_cast<const arrow::TimestampArray&>(*(*batch)->column(1));
    for (int64_t i = 0; i < ids.length(); ++i) {
      rows.push_back(fmt::format("{}|{}", times.Value(i), ids.IsNull(i) ? "-" : ids.GetView(i)));
    }
  } catch (const std::exception&) {
    return {};
  }
  return rows;
}

/// SPILLWAY_ODD_FILES sets how many files are drawn.
TEST(OddFilesTest, HandmadeFilesReadAsTheyWereMadeAndAsArrowReadsThem) {
  const char* const wanted = std::getenv("SPILLWAY_ODD_FILES");
  const int files = wanted != nullptr ? std::atoi(wanted) : 300;
  int read_by_arrow = 0;
  for (int seed = 0; seed < files; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const size_t rows = 1 + random() % 600;
    const size_t different = 1 + random() % 40;
    const size_t nulls_of_ten = random() % 3 * 5;
    std::vector<std::optional<std::string>> ids;
    std::vector<int64_t> times;
    std::vector<std::string> expected;
    for (size_t i = 0; i < rows; ++i) {
      const size_t drawn = random() % different;
      const bool repeat = i > 0 && random() % 2 == 0;
      if (repeat) {
        ids.push_back(ids.back());
      } else if (random() % 10 < nulls_of_ten) {
        ids.emplace_back();
      } else {
        ids.emplace_back(std::string(drawn % 7, 'x') + std::to_string(drawn));
      }
      times.push_back(static_cast<int64_t>(i));
      expected.push_back(fmt::format("{}|{}", i, ids[i].value_or("-")));
    }
    const OddForms forms{.runs_of_no_length = seed % 2 == 1,
                         .empty_pages = seed % 2 == 1,
                         .bit_packed_levels = seed % 4 > 1};
    const std::string bytes = HandmadeParquet(ids, times, forms, random);
    Lake lake(Schema("at", "id"), bytes);
    const auto report = lake.Take();
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_EQ(lake.Rows(), expected);
    const auto arrows = ReadByArrow(bytes);
    if (!arrows.empty()) {
      ++read_by_arrow;
      ASSERT_EQ(arrows, expected);
    }
  }
  EXPECT_GE(read_by_arrow, files / 2);
}

/// Whatever is changed in a file: Adopt refuses it, or Scan reads it to its end.
TEST(OddFilesTest, G03WhatIsAdoptedCanBeScanned) {
  std::mt19937_64 random(5);
  std::vector<std::optional<std::string>> ids;
  std::vector<int64_t> times;
  for (int i = 0; i < 200; ++i) {
    ids.push_back(i % 5 == 0 ? std::nullopt : std::optional(std::to_string(i % 17)));
    times.push_back(i);
  }
  int adopted = 0;
  for (int seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    std::string bytes =
        HandmadeParquet(ids, times, {.runs_of_no_length = true, .empty_pages = true}, random);
    for (int i = static_cast<int>(random() % 3); i >= 0; --i) {
      bytes[4 + random() % (bytes.size() - 4)] = static_cast<char>(random());
    }
    Lake lake(Schema("at", "id"), bytes);
    const auto report = lake.Take();
    if (!report) {
      EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument) << report.error().message;
      continue;
    }
    ++adopted;
    EXPECT_EQ(std::ssize(lake.Rows()), report->rows);
  }
  EXPECT_GT(adopted, 0);
}

}  // namespace
}  // namespace spillway::lake
