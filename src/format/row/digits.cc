#include "format/row/digits.h"

#include <algorithm>

namespace spillway::format {

char* WriteLongUnsigned(uint64_t value, char* out) {
  const uint64_t high = value / 100'000'000;
  out = high >= 100'000'000
            ? WriteEightDigits(high % 100'000'000, WriteUnsigned(high / 100'000'000, out))
            : WriteUnsigned(high, out);
  return WriteEightDigits(value % 100'000'000, out);
}

char* WriteLongDecimal(int64_t unscaled, int32_t scale, char* out) {
  if (scale <= 0) {
    out = WriteSigned(unscaled, out);
    return unscaled == 0 ? out : std::fill_n(out, -scale, '0');
  }
  uint64_t magnitude = static_cast<uint64_t>(unscaled);
  if (unscaled < 0) {
    *out++ = '-';
    magnitude = 0 - magnitude;
  }
  char digits[32];
  const int count = static_cast<int>(WriteUnsigned(magnitude, digits) - digits);
  if (count > scale) {
    out = std::copy_n(digits, count - scale, out);
    *out++ = '.';
    return std::copy_n(digits + count - scale, scale, out);
  }
  *out++ = '0';
  *out++ = '.';
  out = std::fill_n(out, scale - count, '0');
  return std::copy_n(digits, count, out);
}

}  // namespace spillway::format
