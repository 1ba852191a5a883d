#include "format/row/values.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace spillway::format {
namespace {

template <class Float>
std::string Text(Float value) {
  char text[64];
  return {text, WriteFloat(value, text).end};
}

// What Python 3.11 says: [repr(v) for v in …].
TEST(Floats, O5AreWrittenAsPythonWritesThem) {
  EXPECT_EQ(Text(0.0), "0.0");
  EXPECT_EQ(Text(-0.0), "-0.0");
  EXPECT_EQ(Text(14.0), "14.0");
  EXPECT_EQ(Text(-14.5), "-14.5");
  EXPECT_EQ(Text(0.1), "0.1");
  EXPECT_EQ(Text(100000.0), "100000.0");
  EXPECT_EQ(Text(123456789.125), "123456789.125");
  EXPECT_EQ(Text(9007199254740993.0), "9007199254740992.0");
  EXPECT_EQ(Text(9999999999999998.0), "9999999999999998.0");
  EXPECT_EQ(Text(1e15), "1000000000000000.0");
  EXPECT_EQ(Text(1e16), "1e+16");
  EXPECT_EQ(Text(12345678901234567890.0), "1.2345678901234567e+19");
  EXPECT_EQ(Text(1e22), "1e+22");
  EXPECT_EQ(Text(1e300), "1e+300");
  EXPECT_EQ(Text(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(Text(0.0001), "0.0001");
  EXPECT_EQ(Text(0.00012345), "0.00012345");
  EXPECT_EQ(Text(0.00009999), "9.999e-05");
  EXPECT_EQ(Text(0.00001), "1e-05");
  EXPECT_EQ(Text(5e-324), "5e-324");
  EXPECT_EQ(Text(2.2250738585072014e-308), "2.2250738585072014e-308");
  EXPECT_EQ(Text(std::nan("")), "NaN");
  EXPECT_EQ(Text(-std::numeric_limits<double>::infinity()), "-Infinity");
}

TEST(Floats, OfSinglePrecisionAreTheShortestThatReadBack) {
  EXPECT_EQ(Text(14.0F), "14.0");
  EXPECT_EQ(Text(0.1F), "0.1");
  EXPECT_EQ(Text(16777216.0F), "16777216.0");
  EXPECT_EQ(Text(1e15F), "999999986991104.0");
  EXPECT_EQ(Text(1e16F), "1e+16");
  EXPECT_EQ(Text(0.0001F), "0.0001");
  EXPECT_EQ(Text(0.00001F), "1e-05");
  EXPECT_EQ(Text(std::numeric_limits<float>::max()), "3.4028235e+38");
  EXPECT_EQ(Text(HalfFloat{0x4B00}), "14.0");
}

template <class Float, class Bits>
void ReadsBackFromAnyBits() {
  std::mt19937_64 random(20);
  for (int i = 0; i < 200'000; ++i) {
    // Any bits at all, and numbers of the size that people measure.
    const auto bits = static_cast<Bits>(random());
    Float value;
    std::memcpy(&value, &bits, sizeof(value));
    if (i % 2 == 1) value = static_cast<Float>(static_cast<int64_t>(random() >> 20)) / Float(1000);
    if (!std::isfinite(value)) continue;
    const std::string text = Text(value);
    Float read = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), read);
    ASSERT_EQ(end, text.data() + text.size()) << text;
    ASSERT_EQ(read, value) << text;
    ASSERT_NE(text.find_first_of(".e"), std::string::npos) << text;
    ASSERT_LE(text.size(), 32U);
  }
}

TEST(Floats, ReadBackTheSame) {
  ReadsBackFromAnyBits<double, uint64_t>();
  ReadsBackFromAnyBits<float, uint32_t>();
}

}  // namespace
}  // namespace spillway::format
