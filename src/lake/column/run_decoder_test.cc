#include "lake/column/run_decoder.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace spillway::lake {
namespace {

/// All integers, as far as they can be decoded; at most `count`.
std::vector<int32_t> Decoded(std::string bytes, int bit_width, int64_t count) {
  const size_t size = bytes.size();
  bytes.resize(size + 8);
  RunDecoder decoder({reinterpret_cast<const uint8_t*>(bytes.data()), size}, bit_width);
  std::vector<int32_t> out(count);
  out.resize(decoder.Decode(count, out.data()));
  return out;
}

using Integers = std::vector<int32_t>;

TEST(RunDecoder, ReadsRunsAndPackedGroups) {
  EXPECT_EQ(Decoded("\x06\x05", 3, 10), (Integers{5, 5, 5}));
  // The example of Encodings.md: 0 to 7 in 3 bits.
  EXPECT_EQ(Decoded("\x03\x88\xC6\xFA", 3, 10), (Integers{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(Decoded("\x04\x07\x03\x88\xC6\xFA\x02\x01", 3, 20),
            (Integers{7, 7, 0, 1, 2, 3, 4, 5, 6, 7, 1}));
}

TEST(RunDecoder, ReadsALastGroupWithoutItsPadding) {
  EXPECT_EQ(Decoded("\x03\x88\xC6", 3, 10), (Integers{0, 1, 2, 3, 4}));
  EXPECT_EQ(Decoded("\x05\x88\xC6\xFA\x88", 3, 20), (Integers{0, 1, 2, 3, 4, 5, 6, 7, 0, 1}));
}

/// More than padding is missing: the bytes were cut, or the length is wrong.
TEST(RunDecoder, GroupsThatAreMissingAreBroken) {
  EXPECT_EQ(Decoded("\x05\x88\xC6\xFA", 3, 20), Integers{});
  EXPECT_EQ(Decoded("\x07\x88\xC6\xFA\x88", 3, 4), Integers{});
  EXPECT_EQ(Decoded("\x03", 3, 1), Integers{});
}

/// Encodings.md: a run has at most 2^31 - 1 integers.
TEST(RunDecoder, ARunLongerThanTheFormatAllowsIsBroken) {
  EXPECT_EQ(Decoded("\xFE\xFF\xFF\xFF\x0F\x01", 1, 2), (Integers{1, 1}));
  EXPECT_EQ(Decoded("\x80\x80\x80\x80\x10\x01", 1, 2), Integers{});
  const std::string packed_2_to_31("\x81\x80\x80\x80\x02", 5);
  EXPECT_EQ(Decoded(packed_2_to_31, 0, 2), Integers{});
}

TEST(RunDecoder, PassesOverRunsOfNoLength) {
  EXPECT_EQ(Decoded(std::string("\x00\x01\x01\x04\x01", 5), 1, 5), (Integers{1, 1}));
}

}  // namespace
}  // namespace spillway::lake
