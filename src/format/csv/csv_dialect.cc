#include <cstring>

#include "format/row/dialect.h"

namespace spillway::format {

char* CsvDialect::WriteCarefully(const char* text, size_t bytes, bool special, char* out) const {
  const bool formula = escape_formulas && IsFormula(text, bytes);
  const std::string_view rest =
      formula && marker().starts_with('\'') ? marker().substr(1) : marker();
  const bool like_marker = std::string_view(text, bytes) == rest;
  const bool quoted = special || quote_all || like_marker || (one_column && IsNoRow(text, bytes));
  if (quoted) *out++ = '"';
  if (formula) *out++ = '\'';
  if (special) {
    const char* end = text + bytes;
    while (const void* quote = std::memchr(text, '"', static_cast<size_t>(end - text))) {
      const size_t run = static_cast<size_t>(static_cast<const char*>(quote) - text) + 1;
      std::memcpy(out, text, run);
      out += run;
      *out++ = '"';
      text += run;
    }
    bytes = static_cast<size_t>(end - text);
  }
  if (bytes != 0) std::memcpy(out, text, bytes);
  out += bytes;
  if (quoted) *out++ = '"';
  return out;
}

char* CsvDialect::WriteBinary(const char* bytes, size_t count, char* out) const {
  const std::string_view written(out, static_cast<size_t>(WriteBase64(bytes, count, out) - out));
  const bool quoted = quote_all || written == marker() || (one_column && written.empty());
  return quoted ? PutInQuotes(out, written.size()) : out + written.size();
}

char* CsvDialect::WriteBoolean(bool value, bool quoted, char* out) const {
  const std::string_view text = value ? "true" : "false";
  std::memcpy(out, text.data(), text.size());
  return Quote(out, out + text.size(), quoted);
}

char* CsvDialect::WriteNumber(FloatText number, bool quoted, char* begin) const {
  const bool bare = bare_floats && std::string_view(begin, number.end).ends_with(".0");
  return Quote(begin, bare ? number.end - 2 : number.end, quoted);
}

char* CsvDialect::Quote(char* begin, char* end, bool quoted) const {
  const std::string_view text(begin, end);
  return quoted || text == marker() ? PutInQuotes(begin, text.size()) : end;
}

}  // namespace spillway::format
