#include "base/utf8.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace spillway {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, KnowsTheLengthOfACharacter) {
  for (const std::string_view character :
       {"\0"sv, "a"sv, "\x7F"sv, "\xC2\x80"sv, "\xDF\xBF"sv, "\xE0\xA0\x80"sv, "\xED\x9F\xBF"sv,
        "\xEE\x80\x80"sv, "\xEF\xBF\xBF"sv, "\xF0\x90\x80\x80"sv, "\xF4\x8F\xBF\xBF"sv}) {
    EXPECT_EQ(Utf8CharacterBytes(character), character.size());
    EXPECT_EQ(Utf8CharacterBytes(std::string(character) + "\xFF"), character.size());
    EXPECT_TRUE(IsUtf8(std::string(character) + "é" + std::string(character)));
  }
  EXPECT_TRUE(IsUtf8(""));
}

TEST(Utf8, RefusesWhatIsNoCharacter) {
  for (const std::string_view bytes : {
           "\x80"sv,              // A byte that only continues a character.
           "\xC3"sv,              // Cut off.
           "\xE2\x82"sv,          // Cut off.
           "\xC3("sv,             // The second byte continues nothing.
           "\xC0\x80"sv,          // U+0000 in two bytes.
           "\xC1\xBF"sv,          // U+007F in two bytes.
           "\xE0\x9F\xBF"sv,      // U+07FF in three bytes.
           "\xF0\x8F\xBF\xBF"sv,  // U+FFFF in four bytes.
           "\xED\xA0\x80"sv,      // The first half of a surrogate pair.
           "\xED\xBF\xBF"sv,      // The second half of a surrogate pair.
           "\xF4\x90\x80\x80"sv,  // U+110000.
           "\xF5\x80\x80\x80"sv,  // No character begins so.
           "\xFF"sv,
       }) {
    EXPECT_EQ(Utf8CharacterBytes(bytes), 0);
    EXPECT_FALSE(IsUtf8(bytes));
    EXPECT_FALSE(IsUtf8("before" + std::string(bytes)));
    EXPECT_FALSE(IsUtf8(std::string(bytes) + "after"));
  }
  EXPECT_EQ(Utf8CharacterBytes(""), 0);
}

TEST(Utf8, CutsBetweenCharacters) {
  EXPECT_EQ(Utf8Prefix("aé東🧪", 1), "a");
  EXPECT_EQ(Utf8Prefix("aé東🧪", 2), "a");
  EXPECT_EQ(Utf8Prefix("aé東🧪", 3), "aé");
  EXPECT_EQ(Utf8Prefix("aé東🧪", 5), "aé");
  EXPECT_EQ(Utf8Prefix("aé東🧪", 6), "aé東");
  EXPECT_EQ(Utf8Prefix("aé東🧪", 9), "aé東");
  EXPECT_EQ(Utf8Prefix("aé東🧪", 10), "aé東🧪");
  EXPECT_EQ(Utf8Prefix("é", 0), "");
  EXPECT_EQ(Utf8Prefix("\x80\x80\x80\x80\x80", 4), "\x80\x80\x80\x80") << "it has no characters";
}

}  // namespace
}  // namespace spillway
