#include "lake/column/page_header.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace spillway::lake {
namespace {

/// A struct of Thrift's compact protocol: i32 fields from -64 to 63, and the bytes of structs.
class Struct {
 public:
  Struct& Int(int id, int value) {
    fields_.emplace_back(id, "\x05" + std::string(1, static_cast<char>(value << 1 ^ value >> 31)));
    return *this;
  }
  Struct& Sub(int id, const Struct& of) {
    fields_.emplace_back(id, "\x0c" + of.Bytes());
    return *this;
  }
  Struct& Raw(int id, const std::string& type_and_value) {
    fields_.emplace_back(id, type_and_value);
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

/// The fields of another type would be read as its own.
TEST(PageHeader, IsThatOfThePagesType) {
  EXPECT_FALSE(Parse(Page(0)));
  EXPECT_FALSE(Parse(Page(2)));
  EXPECT_FALSE(Parse(Page(3)));
  EXPECT_FALSE(Parse(Page(0).Sub(8, DataPageV2())));
  EXPECT_FALSE(Parse(Page(3).Sub(5, DataPage())));
  const Struct another = Struct().Int(1, 9).Int(2, 9);
  const auto data = Parse(Page(0).Sub(5, DataPage()).Sub(7, another));
  ASSERT_TRUE(data);
  EXPECT_EQ(data->values, 5);
  EXPECT_EQ(data->encoding, 0);
}

/// As parquet-format's README has it, page types that are added later can be passed over.
TEST(PageHeader, OfAnUnknownTypeIsRead) {
  for (const int type : {-1, 1, 4, 63}) {
    const auto header = Parse(Page(type));
    ASSERT_TRUE(header) << type;
    EXPECT_EQ(header->type, PageHeader::Type::kOther);
    EXPECT_EQ(header->compressed_bytes, 30);
  }
}

TEST(PageHeader, WithANegativeLengthIsNone) {
  for (const int id : {2, 3}) {
    Struct page = Struct().Int(1, 0).Int(2, id == 2 ? -1 : 40).Int(3, id == 3 ? -1 : 30);
    EXPECT_FALSE(Parse(page.Sub(5, DataPage()))) << id;
  }
  const Struct rows = Struct().Int(1, 5).Int(2, 1).Int(3, -5).Int(4, 8).Int(5, 2).Int(6, 0);
  EXPECT_FALSE(Parse(Page(3).Sub(8, rows)));
}

/// As Thrift has it: of a field's number 16 bits count, and of an i32 field 32.
TEST(PageHeader, NumbersKeepTheirLowBits) {
  const std::string after_type = Page(0).Sub(5, DataPage()).Bytes().substr(2);
  for (const std::string& type :
       {std::string("\x15\x80\x80\x80\x80\x10", 6), std::string("\x05\x82\x80\x08\x00", 5)}) {
    const std::string bytes = type + after_type;
    const auto header = ParsePageHeader(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->type, PageHeader::Type::kData);
    EXPECT_EQ(header->uncompressed_bytes, 40);
  }
}

TEST(PageHeader, PassesOverFieldsThatItDoesNotKnow) {
  const auto header = Parse(Page(0).Sub(5, DataPage().Sub(5, Struct().Int(1, 7))).Int(9, 1));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->values, 5);
  const Struct uuid = DataPage().Raw(5, '\x0D' + std::string(16, '\xFF'));
  EXPECT_TRUE(Parse(Page(0).Sub(5, uuid)));
  const Struct list_of_uuids = DataPage().Raw(5, "\x09\x1D" + std::string(16, '\xFF'));
  EXPECT_TRUE(Parse(Page(0).Sub(5, list_of_uuids)));
  const Struct list_of_an_unknown_type = DataPage().Raw(5, "\x09\x1E" + std::string(16, '\xFF'));
  EXPECT_FALSE(Parse(Page(0).Sub(5, list_of_an_unknown_type)));
}

}  // namespace
}  // namespace spillway::lake
