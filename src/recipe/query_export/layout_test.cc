#include "recipe/query_export/layout.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace spillway::recipe {
namespace {

std::vector<QueryChunk> Chunks(std::initializer_list<int64_t> rows) {
  std::vector<QueryChunk> chunks;
  for (const int64_t count : rows) chunks.push_back({.rows = count});
  return chunks;
}

std::string Text(const std::vector<QueryChunk>& chunks) {
  std::string text;
  for (const QueryChunk& chunk : chunks) {
    for (const FileRun& run : chunk.runs)
      text += run.file + (run.first ? "<" : "-") + std::to_string(run.rows) +
              (run.last ? ">" : "-") + " ";
    text += "| ";
  }
  return text;
}

TEST(Layout, OneFileOfManyChunks) {
  auto chunks = Chunks({3, 4, 5});
  ASSERT_TRUE(LayOut({}, "t", chunks).has_value());
  EXPECT_EQ(Text(chunks), "t.csv<3- | t.csv-4- | t.csv-5> | ");
}

TEST(Layout, FilesEndWithinChunks) {
  auto chunks = Chunks({3, 4, 5});
  ASSERT_TRUE(LayOut({.limits = {.rows_per_file = 5}}, "t", chunks).has_value());
  EXPECT_EQ(Text(chunks),
            "t_00001.csv<3- | t_00001.csv-2> t_00002.csv<2- | t_00002.csv-3> t_00003.csv<2> | ");
}

TEST(Layout, ChunksOfParquetAreFiles) {
  auto chunks = Chunks({3, 4});
  ASSERT_TRUE(LayOut({.format = FileFormat::kParquet, .limits = {.rows_per_file = 3}}, "t", chunks)
                  .has_value());
  EXPECT_EQ(Text(chunks), "t_00001.parquet<3> | t_00002.parquet<3> t_00003.parquet<1> | ");
}

TEST(Layout, NoRowsAreAFile) {
  for (const FileFormat format : {FileFormat::kCsv, FileFormat::kParquet}) {
    auto chunks = Chunks({0});
    ASSERT_TRUE(LayOut({.format = format}, "t", chunks).has_value());
    ASSERT_EQ(chunks[0].runs.size(), 1U);
    EXPECT_TRUE(chunks[0].runs[0].first && chunks[0].runs[0].last);
  }
}

TEST(Layout, EveryFileBeginsAndEndsOnceAndIsFull) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2'000; ++i) {
    std::vector<QueryChunk> chunks(1 + random() % 8);
    int64_t total = 0;
    for (QueryChunk& chunk : chunks) total += chunk.rows = 1 + static_cast<int64_t>(random() % 30);
    const auto per_file = static_cast<int64_t>(1 + random() % 40);
    ASSERT_TRUE(LayOut({.limits = {.rows_per_file = per_file}}, "t", chunks).has_value());
    std::map<std::string, int64_t> rows, begun, ended;
    for (const QueryChunk& chunk : chunks) {
      int64_t of_chunk = 0;
      for (const FileRun& run : chunk.runs) {
        ASSERT_GT(run.rows, 0);
        ASSERT_EQ(run.first, rows[run.file] == 0);
        ASSERT_EQ(ended[run.file], 0);
        rows[run.file] += run.rows;
        begun[run.file] += run.first;
        ended[run.file] += run.last;
        of_chunk += run.rows;
      }
      ASSERT_EQ(of_chunk, chunk.rows);
    }
    for (const auto& [file, count] : rows) {
      EXPECT_EQ(begun[file], 1);
      EXPECT_EQ(ended[file], 1);
      EXPECT_EQ(count, file == rows.rbegin()->first
                           ? total - per_file * (static_cast<int64_t>(rows.size()) - 1)
                           : per_file);
    }
  }
}

TEST(RowLimit, SplitsFailsOrTruncates) {
  auto chunks = Chunks({3, 4, 5});
  EXPECT_TRUE(ApplyRowLimit({.rows_per_file = 5, .on_limit = OnLimit::kSplit}, chunks).has_value());
  EXPECT_EQ(chunks.size(), 3U);
  const auto failed = ApplyRowLimit({.rows_per_file = 5, .on_limit = OnLimit::kFail}, chunks);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kOutOfSpace);
  EXPECT_TRUE(
      ApplyRowLimit({.rows_per_file = 5, .on_limit = OnLimit::kTruncate}, chunks).has_value());
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[1].rows, 2);
  EXPECT_EQ(chunks[1].cut_off, 7);
}

}  // namespace
}  // namespace spillway::recipe
