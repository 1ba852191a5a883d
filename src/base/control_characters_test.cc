#include "base/control_characters.h"

#include <string_view>

#include <gtest/gtest.h>

namespace spillway {
namespace {

using namespace std::string_view_literals;

TEST(ControlCharacters, AreFound) {
  for (const std::string_view text : {"a\0b"sv, "\n"sv, "a\t"sv, "\x1f"sv, "\x7f"sv})
    EXPECT_TRUE(HasControlCharacter(text)) << text;
  for (const std::string_view text : {""sv, " a~"sv, "naïve/中文 🙂"sv, "\xC2\x85"sv})
    EXPECT_FALSE(HasControlCharacter(text)) << text;
}

TEST(ControlCharacters, AreEscapedWhereverTheyStand) {
  EXPECT_EQ(EscapeControlCharacters("\x1b[31mred\x7f\x01"), "\\u001b[31mred\\u007f\\u0001");
  EXPECT_EQ(EscapeControlCharacters("a\xc2\x9b"
                                    "1mb\xc2\x80"),
            "a\\u009b1mb\\u0080");
  EXPECT_EQ(EscapeControlCharacters("one\ntwo\tthree\r"), "one\\u000atwo\\u0009three\\u000d");
  EXPECT_EQ(EscapeControlCharacters("one\ntwo\tthree\r", "\n\t"), "one\ntwo\tthree\\u000d");
}

TEST(ControlCharacters, BytesThatAreNoTextAreShownAsNumbers) {
  EXPECT_EQ(EscapeControlCharacters("a\x9b\xc2"), "a\\x9b\\xc2");
}

TEST(ControlCharacters, OtherTextStaysAsItIs) {
  for (const char* text : {"", "plain", "naïve café", "中文 🙂", "\xc2\xa0", "a \\ \"b\""})
    EXPECT_EQ(EscapeControlCharacters(text), text);
}

}  // namespace
}  // namespace spillway
