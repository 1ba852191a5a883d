#include "format/row/values.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <string>

#include <arrow/util/decimal.h>
#include <arrow/util/float16.h>

#include "format/row/digits.h"
#include "format/row/instant_text.h"

namespace spillway::format {
namespace {

// As Python's repr: with a point or an exponent, so that it reads as a float again; an exponent
// from 10^16 on and below 10^-4.
template <class Float>
FloatText WriteShortest(Float value, char* out) {
  const auto special = [out](const char* text) {
    const size_t bytes = std::strlen(text);
    std::memcpy(out, text, bytes);
    return FloatText{out + bytes, false};
  };
  if (std::isnan(value)) return special("NaN");
  if (std::isinf(value)) return special(value < 0 ? "-Infinity" : "Infinity");
  const Float magnitude = std::abs(value);
  if (magnitude >= Float(1e16) || (magnitude < Float(1e-4) && magnitude != 0)) {
    return {std::to_chars(out, out + 32, value, std::chars_format::scientific).ptr, true};
  }
  if (static_cast<Float>(static_cast<int64_t>(value)) != value) {
    return {std::to_chars(out, out + 32, value, std::chars_format::fixed).ptr, true};
  }
  *out = '-';
  char* end = WriteUnsigned(static_cast<uint64_t>(magnitude), out + std::signbit(value));
  end[0] = '.';
  end[1] = '0';
  return {end + 2, true};
}

}  // namespace

FloatText WriteFloat(float value, char* out) { return WriteShortest(value, out); }
FloatText WriteFloat(double value, char* out) { return WriteShortest(value, out); }
FloatText WriteFloat(HalfFloat value, char* out) {
  return WriteShortest(arrow::util::Float16::FromBits(value.bits).ToFloat(), out);
}

char* PutInQuotes(char* begin, size_t bytes) {
  std::memmove(begin + 1, begin, bytes);
  begin[0] = begin[bytes + 1] = '"';
  return begin + bytes + 2;
}

char* WriteWideDecimal(const Column& column, int64_t row, char* out) {
  const auto* value = static_cast<const uint8_t*>(column.values) + row * column.width;
  std::string digits = column.width == 16 ? arrow::Decimal128(value).ToIntegerString()
                                          : arrow::Decimal256(value).ToIntegerString();
  if (digits.starts_with('-')) {
    *out++ = '-';
    digits.erase(0, 1);
  }
  if (column.scale <= 0) {
    if (digits != "0") digits.append(static_cast<size_t>(-column.scale), '0');
  } else {
    const auto scale = static_cast<size_t>(column.scale);
    if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
    digits.insert(digits.size() - scale, ".");
  }
  std::memcpy(out, digits.data(), digits.size());
  return out + digits.size();
}

char* WriteBase64(const char* bytes, size_t count, char* out) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto* in = reinterpret_cast<const uint8_t*>(bytes);
  for (; count >= 3; count -= 3, in += 3) {
    const uint32_t three = uint32_t{in[0]} << 16 | uint32_t{in[1]} << 8 | in[2];
    for (int shift = 18; shift >= 0; shift -= 6) *out++ = kAlphabet[three >> shift & 63];
  }
  if (count == 0) return out;
  const uint32_t rest = uint32_t{in[0]} << 16 | (count == 2 ? uint32_t{in[1]} << 8 : 0);
  *out++ = kAlphabet[rest >> 18];
  *out++ = kAlphabet[rest >> 12 & 63];
  *out++ = count == 2 ? kAlphabet[rest >> 6 & 63] : '=';
  *out++ = '=';
  return out;
}

char* WriteTimeOfDay(int64_t value, int64_t units_per_second, char* out) {
  if (value < 0 || value >= 86'400 * units_per_second) return nullptr;
  const int64_t minutes = value / (60 * units_per_second);
  const auto units = static_cast<uint64_t>(value % (60 * units_per_second));
  const auto clock = static_cast<uint32_t>(minutes / 60 * 100 + minutes % 60);
  char digits[16];
  WriteEightDigits(clock, digits);
  std::memcpy(out, digits + 4, 2);
  out[2] = ':';
  std::memcpy(out + 3, digits + 6, 2);
  out[5] = ':';
  out += 6;
  switch (units_per_second) {
    case 1:
      return InstantText::WriteSeconds<0>(units, out);
    case 1'000:
      return InstantText::WriteSeconds<3>(units, out);
    case 1'000'000:
      return InstantText::WriteSeconds<6>(units, out);
    default:
      return InstantText::WriteSeconds<9>(units, out);
  }
}

}  // namespace spillway::format
