#include "base/control_characters.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

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
