#include "source/postgres/numeric.h"

#include <array>
#include <random>
#include <string>
#include <vector>

#include <arrow/util/decimal.h>
#include <gtest/gtest.h>

#include "source/postgres/copy_bytes.h"

namespace spillway::postgres_source {
namespace {

// What numeric_send makes of decimal digits with `scale` of them after the point.
std::string Encode(std::string digits, size_t scale, bool negative) {
  while (scale % 4 != 0) digits += '0', ++scale;
  while (digits.size() % 4 != 0 || digits.size() < scale) digits.insert(0, 1, '0');
  std::vector<int16_t> groups;
  for (size_t i = 0; i < digits.size(); i += 4)
    groups.push_back(static_cast<int16_t>(std::stoi(digits.substr(i, 4))));
  auto weight =
      static_cast<int16_t>(static_cast<int>(groups.size()) - static_cast<int>(scale / 4) - 1);
  while (!groups.empty() && groups.front() == 0) groups.erase(groups.begin()), --weight;
  while (!groups.empty() && groups.back() == 0) groups.pop_back();
  if (groups.empty()) weight = 0;
  CopyBytes bytes;
  const size_t header = bytes.bytes().size();
  bytes.Number(static_cast<int16_t>(groups.size())).Number(weight);
  bytes.Number(static_cast<uint16_t>(negative ? 0x4000 : 0)).Number(static_cast<int16_t>(scale));
  for (const int16_t group : groups) bytes.Number(group);
  return bytes.bytes().substr(header);
}

TEST(Numeric, EveryPrecisionAndScaleIsExact) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int32_t precision = 1; precision <= 76; ++precision) {
    for (int32_t scale = 0; scale <= precision; ++scale) {
      for (int i = 0; i < 8; ++i) {
        const size_t count =
            i == 0 ? static_cast<size_t>(precision) : random() % static_cast<size_t>(precision) + 1;
        std::string digits;
        while (digits.size() < count)
          digits += i == 0 ? '9' : random() % 3 == 0 ? '0' : static_cast<char>('0' + random() % 10);
        const bool negative =
            random() % 2 == 0 && digits.find_first_not_of('0') != std::string::npos;
        const std::string bytes = Encode(digits, static_cast<size_t>(scale), negative);
        std::array<uint8_t, 32> out{};
        if (precision > 38) {
          ASSERT_EQ(DecodeLargeDecimal(bytes, precision, scale, out.data()), Problem::kNone)
              << digits;
          arrow::Decimal256 expected(digits);
          if (negative) expected.Negate();
          std::array<uint8_t, 32> wanted = expected.ToBytes();
          ASSERT_EQ(out, wanted) << digits << " as " << precision << "," << scale;
          continue;
        }
        const auto decode = precision <= 18 ? DecodeSmallDecimal : DecodeDecimal;
        ASSERT_EQ(decode(bytes, precision, scale, out.data()), Problem::kNone)
            << digits << " as " << precision << "," << scale;
        arrow::Decimal128 expected(digits);
        if (negative) expected.Negate();
        ASSERT_EQ(arrow::Decimal128(out.data()), expected)
            << digits << " as " << precision << "," << scale;
      }
    }
  }
}

TEST(Numeric, RefusesWhatIsMoreThanTheType) {
  std::array<uint8_t, 32> out{};
  EXPECT_EQ(DecodeSmallDecimal(Encode("1000", 2, false), 3, 2, out.data()), Problem::kRange);
  EXPECT_EQ(DecodeSmallDecimal(Encode("1001", 3, false), 5, 2, out.data()), Problem::kRange);
  EXPECT_EQ(DecodeSmallDecimal(Encode(std::string(60, '9'), 0, false), 18, 0, out.data()),
            Problem::kRange);
  EXPECT_EQ(DecodeDecimal(Encode(std::string(39, '9'), 0, false), 38, 0, out.data()),
            Problem::kRange);
  EXPECT_EQ(DecodeDecimal(Encode(std::string(200, '9'), 0, false), 38, 0, out.data()),
            Problem::kRange);
  EXPECT_EQ(DecodeLargeDecimal(Encode(std::string(77, '9'), 0, false), 76, 0, out.data()),
            Problem::kRange);
  EXPECT_EQ(DecodeLargeDecimal(Encode(std::string(4000, '9'), 0, false), 76, 0, out.data()),
            Problem::kRange);
}

TEST(Numeric, SurvivesAnyBytes) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes = Encode(std::to_string(random()), random() % 10, false);
    for (int k = 0; k < 3; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
    std::array<uint8_t, 32> out{};
    static_cast<void>(DecodeSmallDecimal(bytes, 18, 4, out.data()));
    static_cast<void>(DecodeDecimal(bytes, 38, 10, out.data()));
    static_cast<void>(DecodeLargeDecimal(bytes, 76, 20, out.data()));
  }
}

}  // namespace
}  // namespace spillway::postgres_source
