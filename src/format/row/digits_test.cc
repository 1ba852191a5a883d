#include "format/row/digits.h"

#include <limits>
#include <random>
#include <string>

#include <arrow/util/decimal.h>
#include <gtest/gtest.h>

namespace spillway::format {
namespace {

std::string Signed(int64_t value) {
  char room[64];
  return {room, WriteSigned(value, room)};
}

std::string Unsigned(uint64_t value) {
  char room[64];
  return {room, WriteUnsigned(value, room)};
}

std::string Decimal(int64_t value, int32_t scale) {
  char room[128];
  return {room, WriteDecimal(value, scale, room)};
}

TEST(Digits, WritesIntegersOfEveryLength) {
  std::mt19937_64 random(1);
  for (int bits = 0; bits < 64; ++bits) {
    for (int i = 0; i < 2'000; ++i) {
      const uint64_t value = random() >> bits;
      ASSERT_EQ(Unsigned(value), std::to_string(value));
      ASSERT_EQ(Signed(static_cast<int64_t>(value)), std::to_string(static_cast<int64_t>(value)));
    }
  }
  uint64_t power = 1;
  for (int digits = 1; digits < 20; ++digits, power *= 10) {
    for (uint64_t value : {power - 1, power, power + 1}) {
      ASSERT_EQ(Unsigned(value), std::to_string(value));
      ASSERT_EQ(Signed(-static_cast<int64_t>(value)), std::to_string(-static_cast<int64_t>(value)));
    }
  }
  EXPECT_EQ(Unsigned(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(Signed(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
}

TEST(Digits, CountsDigits) {
  EXPECT_EQ(DigitCount(0), 1u);
  for (uint64_t power = 1, digits = 1; power <= 1'000'000'000; power *= 10, ++digits) {
    EXPECT_EQ(DigitCount(static_cast<uint32_t>(power)), digits);
    EXPECT_EQ(DigitCount(static_cast<uint32_t>(power - 1)), power == 1 ? 1 : digits - 1);
  }
  EXPECT_EQ(DigitCount(std::numeric_limits<uint32_t>::max()), 10u);
}

TEST(Digits, WritesDecimalsExactlyAtTheirScale) {
  EXPECT_EQ(Decimal(0, 4), "0.0000");
  EXPECT_EQ(Decimal(75, 4), "0.0075");
  EXPECT_EQ(Decimal(-1, 1), "-0.1");
  EXPECT_EQ(Decimal(123'456, 4), "12.3456");
  EXPECT_EQ(Decimal(12'345'678, 7), "1.2345678");
  EXPECT_EQ(Decimal(5, 0), "5");
  EXPECT_EQ(Decimal(-5, -3), "-5000");
  EXPECT_EQ(Decimal(0, -3), "0");
  EXPECT_EQ(Decimal(7, 18), "0.000000000000000007");
  EXPECT_EQ(Decimal(-999'999'999'999'999'999, 18), "-0.999999999999999999");
  std::mt19937_64 random(2);
  for (int bits = 4; bits < 64; ++bits) {
    for (int32_t scale = 1; scale <= 18; ++scale) {
      const int64_t value = static_cast<int64_t>(random()) >> bits;
      // Arrow turns to scientific notation for some; its digits are the same.
      std::string digits = arrow::Decimal128(value < 0 ? -value : value).ToIntegerString();
      if (digits.size() <= static_cast<size_t>(scale))
        digits.insert(0, static_cast<size_t>(scale) + 1 - digits.size(), '0');
      digits.insert(digits.size() - static_cast<size_t>(scale), ".");
      ASSERT_EQ(Decimal(value, scale), (value < 0 ? "-" : "") + digits) << value << " " << scale;
    }
  }
}

}  // namespace
}  // namespace spillway::format
