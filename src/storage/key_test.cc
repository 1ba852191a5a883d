#include "storage/key.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spillway::storage {
namespace {

using testing::HasSubstr;
using std::string_literals::operator""s;

TEST(ValidateKey, TakesWhatOneWouldCallAPath) {
  for (const std::string& key :
       {"a"s, "a/b/c.csv"s, "organisation=x%2Fy/day=2026-01-01/0.parquet"s, ".hidden"s, "..."s,
        "a..b/..c"s, ".spillway/jobs/1"s, ".spillways"s, "ü/😀"s, "a b"s, std::string(255, 'x'),
        std::string(255, 'x') + "/" + std::string(255, 'y')}) {
    const auto valid = ValidateKey(key);
    EXPECT_TRUE(valid) << valid.error().message;
  }
}

TEST(ValidateKey, SaysInOneLineWhyItRefuses) {
  const std::map<std::string, std::string> reasons = {
      {"", "'' is no object key: it is empty"},
      {"/a", "nothing before, between or after slashes"},
      {"a/", "nothing before, between or after slashes"},
      {"a//b", "nothing before, between or after slashes"},
      {"/", "nothing before, between or after slashes"},
      {".", "'.' or '..' between slashes"},
      {"../../etc/passwd",
       "'../../etc/passwd' is no object key: it has a '.' or '..' between slashes"},
      {"a/./b", "'.' or '..' between slashes"},
      {"a\0b"s, "'a?b' is no object key: it holds a control character"},
      {"a\nb", "control character"},
      {"a\x7f", "control character"},
      {".spillway", "is reserved"},
      {std::string(256, 'x'), "part longer than 255 bytes"},
      {std::string(1025, 'x'), "longer than 1024 bytes"},
  };
  for (const auto& [key, reason] : reasons) {
    const auto valid = ValidateKey(key);
    ASSERT_FALSE(valid) << key;
    EXPECT_EQ(valid.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(valid.error().message, HasSubstr(reason));
    EXPECT_EQ(valid.error().message.find_first_of("\n\0"s), std::string::npos);
  }
}

TEST(EscapeKeySegment, LeavesPlainNamesAlone) {
  for (const std::string name : {"a", "linux-image_6.1", "A.B", "0", "_", "-", "a..", "x-y_z.Z9"}) {
    EXPECT_EQ(EscapeKeySegment(name), name);
  }
}

TEST(EscapeKeySegment, EscapesTheRest) {
  const std::map<std::string, std::string> escaped = {
      {"", "%5Fempty"},
      {".", "%2E"},
      {"..", "%2E."},
      {".a", "%2Ea"},
      {"a/b", "a%2Fb"},
      {"../../etc", "%2E.%2F..%2Fetc"},
      {"a=b", "a%3Db"},
      {"a\0b"s, "a%00b"},
      {"\n", "%0A"},
      {"a b", "a%20b"},
      {"%", "%25"},
      {"%2F", "%252F"},
      {"ü", "%C3%BC"},
      {"😀", "%F0%9F%98%80"},
      {"\xff", "%FF"},
      {"\x7f", "%7F"},
      {"a\\b", "a%5Cb"},
      {"%5Fempty", "%255Fempty"},
      {"libstdc++", "libstdc%2B%2B"},
  };
  for (const auto& [name, segment] : escaped) {
    EXPECT_EQ(EscapeKeySegment(name), segment);
    EXPECT_EQ(UnescapeKeySegment(segment).value(), name);
  }
}

TEST(EscapeKeySegment, EveryPairOfBytesComesBack) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string name = {static_cast<char>(first), static_cast<char>(second)};
      const std::string segment = EscapeKeySegment(name);
      EXPECT_TRUE(IsKeySegment(segment)) << segment;
      EXPECT_EQ(UnescapeKeySegment(segment).value(), name);
    }
  }
}

TEST(EscapeKeySegment, LongNamesStayApartAndWithinTheLimit) {
  std::map<std::string, std::string> names;
  for (const std::string unit : {"a", "/", "ab/", "😀", "%"}) {
    for (size_t units = 1; units < 320; ++units) {
      std::string name;
      for (size_t i = 0; i < units; ++i) name += unit;
      const std::string segment = EscapeKeySegment(name);
      EXPECT_TRUE(IsKeySegment("organisation=" + segment + ".parquet")) << segment;
      EXPECT_LE(segment.size(), kMaxEscapedBytes);
      const auto [other, fresh] = names.emplace(segment, name);
      EXPECT_TRUE(fresh) << name << " and " << other->second;
      if (segment.find("%2Dsha256-") == std::string::npos) {
        EXPECT_EQ(UnescapeKeySegment(segment).value(), name);
      } else {
        EXPECT_EQ(UnescapeKeySegment(segment).error().code, ErrorCode::kUnsupported);
      }
    }
  }
  const std::string longest(kMaxEscapedBytes, 'a');
  EXPECT_EQ(EscapeKeySegment(longest), longest);
  EXPECT_NE(EscapeKeySegment(longest + "a"), EscapeKeySegment(longest + "b"));
}

TEST(EscapeKeySegment, NoNamePassesForAShortenedOne) {
  const std::string shortened = EscapeKeySegment(std::string(300, 'a'));
  EXPECT_NE(EscapeKeySegment(shortened), shortened);
  EXPECT_LE(EscapeKeySegment(shortened).size(), kMaxEscapedBytes + 2);
}

TEST(UnescapeKeySegment, TakesOnlyWhatEscapeGives) {
  for (const std::string segment :
       {"", "%", "%2", "%zz", "%2f", "%41", ".a", "..", "a/b", "a b", "ü", "%5F", "%2Dx"}) {
    const auto name = UnescapeKeySegment(segment);
    ASSERT_FALSE(name) << segment;
    EXPECT_EQ(name.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace spillway::storage
