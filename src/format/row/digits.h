#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace spillway::format {

// Eight digits at a time in one 64-bit register. Writers may put 8 bytes after what they return.

inline constexpr uint64_t kEightZeros = 0x3030303030303030;
/// The digits of a value below 10^8 as numbers 0 to 9, the first in the lowest byte.
inline uint64_t EightDigitValues(uint32_t value) {
  // Small values are by far the most.
  if (value < 10'000) {
    const uint32_t hundreds = value * 5'243 >> 19;
    const uint32_t pairs = hundreds | (value - 100 * hundreds) << 16;
    const uint32_t tens = (pairs * 103 >> 10) & 0x000f000f;
    return uint64_t{tens | (pairs - 10 * tens) << 8} << 32;
  }
  const uint64_t halves = value / 10'000 | uint64_t{value % 10'000} << 32;
  const uint64_t hundreds = (halves * 10'486 >> 20) & 0x0000007f0000007f;
  const uint64_t pairs = hundreds | (halves - 100 * hundreds) << 16;
  const uint64_t tens = (pairs * 103 >> 10) & 0x000f000f000f000f;
  return tens | (pairs - 10 * tens) << 8;
}

inline void StoreEight(char* out, uint64_t bytes) { std::memcpy(out, &bytes, 8); }

inline uint64_t LoadEight(const char* in) {
  uint64_t bytes;
  std::memcpy(&bytes, in, 8);
  return bytes;
}

/// Exactly eight digits, with leading zeros.
inline char* WriteEightDigits(uint32_t value, char* out) {
  StoreEight(out, EightDigitValues(value) | kEightZeros);
  return out + 8;
}

/// A value of 10^8 or more.
char* WriteLongUnsigned(uint64_t value, char* out);

/// How many decimal digits a value below 2^32 has; 1 for 0. One table entry for each number of bits
/// (D. Lemire, "Computing the number of digits of an integer even faster", 2021). Its latency is
/// what the writers below wait for: the text itself follows out of order.
inline uint32_t DigitCount(uint32_t value) {
  static constexpr auto kTable = [] {
    std::array<uint64_t, 32> table{};
    for (uint32_t bit = 0; bit < 32; ++bit) {
      uint64_t power = 1;
      uint64_t digits = 0;
      while (power <= (uint64_t{2} << bit) - 1) power *= 10, ++digits;
      // `power` is above every value of this many bits; those below power / 10 have a digit less.
      const uint64_t least = power / 10;
      table[bit] = (digits << 32) - ((uint64_t{1} << bit) < least ? least : 0);
    }
    return table;
  }();
  return static_cast<uint32_t>(
      (value + kTable[static_cast<size_t>(31 - std::countl_zero(value | 1))]) >> 32);
}

inline char* WriteUnsigned(uint64_t value, char* out) {
  if (value >= 100'000'000) [[unlikely]]
    return WriteLongUnsigned(value, out);
  const uint32_t count = DigitCount(static_cast<uint32_t>(value));
  StoreEight(out,
             (EightDigitValues(static_cast<uint32_t>(value)) | kEightZeros) >> (64 - 8 * count));
  return out + count;
}

inline char* WriteSigned(int64_t value, char* out) {
  const bool negative = value < 0;
  *out = '-';
  return WriteUnsigned(negative ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value),
                       out + negative);
}

/// A decimal whose digits or scale are not small.
char* WriteLongDecimal(int64_t unscaled, int32_t scale, char* out);

/// unscaled / 10^scale, with all digits of the scale. A negative scale appends zeros. At most
/// 20 + |scale| bytes.
inline char* WriteDecimal(int64_t unscaled, int32_t scale, char* out) {
  const bool negative = unscaled < 0;
  const uint64_t magnitude =
      negative ? 0 - static_cast<uint64_t>(unscaled) : static_cast<uint64_t>(unscaled);
  if (magnitude >= 100'000'000 || scale < 1 || scale > 7) [[unlikely]]
    return WriteLongDecimal(unscaled, scale, out);
  const auto fraction = static_cast<uint32_t>(scale);
  const uint32_t count = std::max(DigitCount(static_cast<uint32_t>(magnitude)), fraction + 1);
  const uint64_t text = EightDigitValues(static_cast<uint32_t>(magnitude)) | kEightZeros;
  *out = '-';
  out += negative;
  StoreEight(out, text >> (64 - 8 * count));
  out += count - fraction;
  *out = '.';
  StoreEight(out + 1, text >> (64 - 8 * fraction));
  return out + 1 + fraction;
}

}  // namespace spillway::format
