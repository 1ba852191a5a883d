#include <cstdint>
#include <cstring>

#include "format/row/dialect.h"

namespace spillway::format {

char* JsonDialect::WriteCarefully(const char* text, size_t bytes, char* out) const {
  static constexpr char kHex[] = "0123456789abcdef";
  *out++ = '"';
  for (const char* end = text + bytes; text != end; ++text) {
    const auto byte = static_cast<uint8_t>(*text);
    if (byte >= 0x20 && byte != '"' && byte != '\\') {
      *out++ = *text;
      continue;
    }
    *out++ = '\\';
    switch (byte) {
      case '\n':
        *out++ = 'n';
        break;
      case '\r':
        *out++ = 'r';
        break;
      case '\t':
        *out++ = 't';
        break;
      case '\b':
        *out++ = 'b';
        break;
      case '\f':
        *out++ = 'f';
        break;
      case '"':
      case '\\':
        *out++ = *text;
        break;
      default:
        for (char c : {'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]}) *out++ = c;
    }
  }
  *out++ = '"';
  return out;
}

char* JsonDialect::WriteBinary(const char* bytes, size_t count, char* out) const {
  *out = '"';
  out = WriteBase64(bytes, count, out + 1);
  *out = '"';
  return out + 1;
}

char* JsonDialect::WriteBoolean(bool value, bool, char* out) const {
  std::memcpy(out, value ? "true" : "false", value ? 4 : 5);
  return out + (value ? 4 : 5);
}

char* JsonDialect::WriteNumber(FloatText number, bool, char* begin) const {
  return number.number ? number.end : PutInQuotes(begin, static_cast<size_t>(number.end - begin));
}

}  // namespace spillway::format
