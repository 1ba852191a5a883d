// Pages of a column of integers, some of which may be null, as no writer should write them.
#include "lake/column/column_reader.h"

#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>

#include <arrow/api.h>
#include <gtest/gtest.h>
#include <parquet/schema.h>

namespace spillway::lake {
namespace {

using namespace std::string_view_literals;

/// Short lengths and counts as Thrift stores them.
char Number(size_t number) { return static_cast<char>(number * 2); }

std::string Values(size_t rows) {
  std::string values;
  for (size_t row = 1; row <= rows; ++row) values += {static_cast<char>(row), 0, 0, 0};
  return values;
}

/// A page of the version's header: its type, its length twice, the numbers of the version, the end.
std::string WithHeader(char type, char version, std::initializer_list<size_t> numbers,
                       std::string_view end, const std::string& body) {
  const char bytes = Number(body.size());
  std::string page = {0x15, type, 0x15, bytes, 0x15, bytes, version};
  for (const size_t number : numbers) page += {0x15, Number(number)};
  return page + std::string(end) + body;
}

/// A data page whose levels stand before the values as they are.
std::string Page(std::string_view levels, size_t rows = 2) {
  const std::string length = {static_cast<char>(levels.size()), 0, 0, 0};
  return WithHeader(0, 0x2C, {rows, 0, 3, 3}, "\0\0"sv,
                    length + std::string(levels) + Values(rows));
}

std::string PageV2(std::string_view levels, size_t nulls = 0) {
  return WithHeader(6, 0x5C, {2, nulls, 2, 0, levels.size(), 0}, "\x12\0\0"sv,
                    std::string(levels) + Values(2));
}

/// How the rows read: as text, or the error.
std::string Rows(const std::string& pages, int64_t rows = 2) {
  const parquet::ColumnDescriptor stored(
      parquet::schema::PrimitiveNode::Make("c", parquet::Repetition::OPTIONAL,
                                           parquet::Type::INT32),
      1, 0);
  Decompressor decompressor;
  const auto reader =
      ColumnReader::Make(stored, arrow::int32(), {*arrow::default_memory_pool(), decompressor});
  std::vector<std::byte> bytes(pages.size() + Scratch::kSlack);
  std::memcpy(bytes.data(), pages.data(), pages.size());
  (*reader)->Start({.bytes = std::span(bytes).first(pages.size()),
                    .values = rows,
                    .uncompressed_bytes = std::ssize(pages)});
  const auto read = (*reader)->Read(rows);
  if (!read.has_value()) return read.error().message;
  const auto& array = static_cast<const arrow::Int32Array&>(**read);
  std::string text;
  for (int64_t row = 0; row < array.length(); ++row) {
    text += array.IsNull(row) ? "-" : std::to_string(array.Value(row));
  }
  return text;
}

TEST(ColumnReader, ReadsLevelsOfBothVersions) {
  EXPECT_EQ(Rows(Page("\x04\x01"sv)), "12");
  EXPECT_EQ(Rows(PageV2("\x04\x01"sv)), "12");
  EXPECT_EQ(Rows(PageV2("\x02\x01\x02\x00"sv)), "1-");
  EXPECT_EQ(Rows(Page("\x03\xFE\x04\x01"sv, 10), 10), "-123456789");
}

/// It says neither that there is a value nor that there is none.
TEST(ColumnReader, ALevelAboveTheHighestIsBroken) {
  EXPECT_EQ(Rows(Page("\x02\x01\x02\x03"sv)), "has a page with broken values");
  EXPECT_EQ(Rows(PageV2("\x04\x02"sv)), "has a page with broken values");
  EXPECT_EQ(Rows(Page("\x03\xFF\x04\x03"sv, 10), 10), "has a page with broken values");
}

TEST(ColumnReader, APageOfVersion2WithoutLevelsIsBroken) {
  EXPECT_EQ(Rows(PageV2(""sv)), "has a page with broken values");
  EXPECT_EQ(Rows(PageV2(""sv, 1)), "has a page with broken values");
}

TEST(ColumnReader, PassesOverPagesOfTypesThatItDoesNotKnow) {
  const std::string unknown = {0x15, 18, 0x15, 4, 0x15, 4, 0, 'x', 'y'};
  EXPECT_EQ(Rows(unknown + Page("\x04\x01"sv)), "12");
}

}  // namespace
}  // namespace spillway::lake
