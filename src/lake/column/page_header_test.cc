#include "lake/column/page_header.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace spillway::lake {
namespace {

/// A struct of Thrift's compact protocol: i32 fields below 64, and the bytes of structs.
class Struct {
 public:
  Struct& Int(int id, int value) {
    fields_.emplace_back(id, "\x05" + std::string(1, static_cast<char>(value << 1)));
    return *this;
  }
  Struct& Sub(int id, const Struct& of) {
    fields_.emplace_back(id, "\x0c" + of.Bytes());
    return *this;
  }
  Struct Without(int id) const {
    Struct rest = *this;
    std::erase_if(rest.fields_, [id](const auto& field) { return field.first == id; });
    return rest;
  }
  std::string Bytes() const {
    std::string bytes;
    int last = 0;
    for (const auto& [id, field] : fields_) {
      bytes += static_cast<char>((id - last) << 4 | field[0]);
      bytes += field.substr(1);
      last = id;
    }
    return bytes + '\0';
  }

 private:
  std::vector<std::pair<int, std::string>> fields_;
};

std::optional<PageHeader> Parse(const Struct& header) {
  const std::string bytes = header.Bytes();
  return ParsePageHeader(std::as_bytes(std::span(bytes)));
}

Struct Page(int type) { return Struct().Int(1, type).Int(2, 40).Int(3, 30); }
Struct DataPage() { return Struct().Int(1, 5).Int(2, 0).Int(3, 3).Int(4, 3); }
Struct DictionaryPage() { return Struct().Int(1, 5).Int(2, 2); }
Struct DataPageV2() { return Struct().Int(1, 5).Int(2, 1).Int(3, 5).Int(4, 8).Int(5, 2).Int(6, 0); }

TEST(PageHeader, IsReadWhole) {
  const auto data = Parse(Page(0).Sub(5, DataPage()));
  ASSERT_TRUE(data);
  EXPECT_EQ(data->type, PageHeader::Type::kData);
  EXPECT_EQ(data->uncompressed_bytes, 40);
  EXPECT_EQ(data->compressed_bytes, 30);
  EXPECT_EQ(data->values, 5);
  EXPECT_EQ(data->definition_level_encoding, 3);
  EXPECT_EQ(data->header_bytes, Page(0).Sub(5, DataPage()).Bytes().size());
  const auto dictionary = Parse(Page(2).Sub(7, DictionaryPage()));
  ASSERT_TRUE(dictionary);
  EXPECT_EQ(dictionary->encoding, 2);
  const auto second = Parse(Page(3).Sub(8, DataPageV2()));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->encoding, 8);
  EXPECT_EQ(second->definition_level_bytes, 2);
}

/// As Arrow has it: what is missing would be read as 0.
TEST(PageHeader, WithoutARequiredFieldIsNone) {
  for (const int id : {1, 2, 3}) {
    EXPECT_FALSE(Parse(Page(0).Sub(5, DataPage()).Without(id))) << id;
  }
  for (const int id : {1, 2, 3, 4}) {
    EXPECT_FALSE(Parse(Page(0).Sub(5, DataPage().Without(id)))) << id;
  }
  for (const int id : {1, 2}) {
    EXPECT_FALSE(Parse(Page(2).Sub(7, DictionaryPage().Without(id)))) << id;
  }
  for (const int id : {1, 2, 3, 4, 5, 6}) {
    EXPECT_FALSE(Parse(Page(3).Sub(8, DataPageV2().Without(id)))) << id;
  }
}

/// As Arrow has it: nulls would be read as values.
TEST(PageHeader, WithNullsButWithoutLevelsIsNone) {
  const Struct with_levels = Struct().Int(1, 5).Int(2, 4).Int(3, 5).Int(4, 8).Int(5, 2).Int(6, 0);
  const Struct without = Struct().Int(1, 5).Int(2, 4).Int(3, 5).Int(4, 8).Int(5, 0).Int(6, 0);
  EXPECT_TRUE(Parse(Page(3).Sub(8, with_levels)));
  EXPECT_FALSE(Parse(Page(3).Sub(8, without)));
}

TEST(PageHeader, PassesOverFieldsThatItDoesNotKnow) {
  const auto header = Parse(Page(0).Sub(5, DataPage().Sub(5, Struct().Int(1, 7))).Int(9, 1));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->values, 5);
}

}  // namespace
}  // namespace spillway::lake
