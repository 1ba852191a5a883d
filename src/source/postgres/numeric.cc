#include "source/postgres/numeric.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <arrow/util/decimal.h>

#include "source/postgres/wire.h"

namespace spillway::postgres_source {
namespace {

constexpr size_t kHeader = 8;
constexpr int32_t kDigitsPerGroup = 4;
constexpr uint32_t kGroup = 10'000;
constexpr std::array<uint32_t, 5> kPowers = {1, 10, 100, 1'000, 10'000};

constexpr uint16_t kPositive = 0x0000;
constexpr uint16_t kNegative = 0x4000;
constexpr uint16_t kNan = 0xC000;
constexpr uint16_t kPlusInfinity = 0xD000;
constexpr uint16_t kMinusInfinity = 0xF000;

struct Header {
  int32_t groups;
  int32_t weight;  ///< The first group counts kGroup to this power.
  uint16_t sign;
};

Problem ReadHeader(std::string_view bytes, Header& header) {
  if (bytes.size() < kHeader) return Problem::kLength;
  header = {.groups = LoadBigEndian<int16_t>(bytes.data()),
            .weight = LoadBigEndian<int16_t>(bytes.data() + 2),
            .sign = LoadBigEndian<uint16_t>(bytes.data() + 4)};
  if (header.sign == kNan) return Problem::kNan;
  if (header.sign == kPlusInfinity || header.sign == kMinusInfinity) return Problem::kInfinity;
  if (header.sign != kPositive && header.sign != kNegative) return Problem::kMalformed;
  if (header.groups < 0) return Problem::kMalformed;
  if (bytes.size() != kHeader + static_cast<size_t>(header.groups) * 2) return Problem::kLength;
  return Problem::kNone;
}

template <class Integer>
bool MultiplyAdd(Integer& value, uint32_t factor, uint32_t summand) {
  return !__builtin_mul_overflow(value, static_cast<Integer>(factor), &value) &&
         !__builtin_add_overflow(value, static_cast<Integer>(summand), &value);
}

bool MultiplyAdd(arrow::Decimal256& value, uint32_t factor, uint32_t summand) {
  // 10^76 times 10^4 is beyond 256 bits, so what grows too large has to be seen before.
  if (value > arrow::Decimal256::GetMaxValue(76 - kDigitsPerGroup) && factor > 1) {
    if (!value.FitsInPrecision(76)) return false;
    const arrow::Decimal256 most = arrow::Decimal256::GetMaxValue(76) / arrow::Decimal256(factor);
    if (value > most) return false;
  }
  value *= arrow::Decimal256(factor);
  value += arrow::Decimal256(summand);
  return true;
}

// The digits as an integer with `scale` digits after the point.
template <class Integer>
Problem ReadDigits(std::string_view bytes, const Header& header, int32_t scale, Integer& value) {
  const char* digits = bytes.data() + kHeader;
  // How many digits of `scale` come after the current group.
  int32_t scale_left = header.weight * kDigitsPerGroup + scale;
  for (int32_t i = 0; i < header.groups; ++i, scale_left -= kDigitsPerGroup) {
    const auto digit = LoadBigEndian<uint16_t>(digits + static_cast<size_t>(i) * 2);
    if (digit >= kGroup) return Problem::kMalformed;
    if (scale_left >= 0) {
      if (!MultiplyAdd(value, kGroup, digit)) return Problem::kRange;
      continue;
    }
    // The scale ends within this group, or before it: the digits after it must be zero.
    const int32_t kept = scale_left + kDigitsPerGroup;
    const uint32_t dropped =
        kept > 0 ? kPowers[static_cast<size_t>(kDigitsPerGroup - kept)] : kGroup;
    if (digit % dropped != 0) return Problem::kRange;
    if (kept > 0 && !MultiplyAdd(value, kPowers[static_cast<size_t>(kept)], digit / dropped))
      return Problem::kRange;
  }
  // Groups that were left out, being zero.
  for (int32_t missing = scale_left + kDigitsPerGroup; missing > 0 && value != Integer(0);
       missing -= kDigitsPerGroup) {
    if (!MultiplyAdd(value, kPowers[static_cast<size_t>(std::min(missing, kDigitsPerGroup))], 0))
      return Problem::kRange;
  }
  return Problem::kNone;
}

// 10^exponent.
template <class Integer>
constexpr Integer PowerOfTen(int32_t exponent) {
  Integer power = 1;
  for (int32_t i = 0; i < exponent; ++i) power *= 10;
  return power;
}

template <class Integer>
Problem DecodeInteger(std::string_view bytes, int32_t precision, int32_t scale, uint8_t* out) {
  Header header;
  if (const Problem problem = ReadHeader(bytes, header); problem != Problem::kNone) return problem;
  Integer value = 0;
  if (const Problem problem = ReadDigits(bytes, header, scale, value); problem != Problem::kNone)
    return problem;
  if (value >= PowerOfTen<Integer>(precision)) return Problem::kRange;
  auto result = static_cast<__int128>(value);
  if (header.sign == kNegative) result = -result;
  std::memcpy(out, &result, sizeof(result));
  return Problem::kNone;
}

}  // namespace

Problem DecodeSmallDecimal(std::string_view bytes, int32_t precision, int32_t scale,
                           uint8_t* decimal128) {
  return DecodeInteger<uint64_t>(bytes, precision, scale, decimal128);
}

Problem DecodeDecimal(std::string_view bytes, int32_t precision, int32_t scale,
                      uint8_t* decimal128) {
  return DecodeInteger<unsigned __int128>(bytes, precision, scale, decimal128);
}

Problem DecodeLargeDecimal(std::string_view bytes, int32_t precision, int32_t scale,
                           uint8_t* decimal256) {
  Header header;
  if (const Problem problem = ReadHeader(bytes, header); problem != Problem::kNone) return problem;
  arrow::Decimal256 value(0);
  if (const Problem problem = ReadDigits(bytes, header, scale, value); problem != Problem::kNone)
    return problem;
  if (!value.FitsInPrecision(precision)) return Problem::kRange;
  if (header.sign == kNegative) value.Negate();
  value.ToBytes(decimal256);
  return Problem::kNone;
}

}  // namespace spillway::postgres_source
