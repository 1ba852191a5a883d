#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "format/row/special_bytes.h"
#include "format/row/values.h"

namespace spillway::format {

/// What stands around and between values in CSV. Plain data for the row loop.
struct CsvDialect {
  static constexpr bool kJson = false;
  static constexpr size_t kMarkerBytesMax = 32;
  /// A string of n bytes takes at most kGrowth * n + kAround bytes: every quote doubled; two quotes
  /// and an apostrophe.
  static constexpr size_t kGrowth = 2;
  static constexpr size_t kAround = 3;

  SpecialBytes specials{",\"\r\n"};  ///< The bytes that a field cannot hold without quotes.
  char delimiter = ',';
  bool quote_all = false;
  bool escape_formulas = false;
  bool one_column = false;   ///< Fields are lines of their own, which must read as rows.
  bool bare_floats = false;  ///< Whole numbers among floats have no ".0".
  bool careful = false;      ///< Any of these: strings need more than a look for special bytes.
  uint8_t marker_bytes = 0;
  uint8_t null_bytes = 0;
  uint8_t row_end_bytes = 2;
  /// The null marker. With one column and an empty marker, two quotes.
  char null_text[Buffer::kSlack] = {};
  char row_end[8] = {'\r', '\n'};

  std::string_view marker() const { return {null_text, marker_bytes}; }

  /// Whether a spreadsheet would run the text, or might after trimming it.
  static bool IsFormula(const char* text, size_t bytes) {
    return bytes != 0 && (*text == '=' || *text == '+' || *text == '-' || *text == '@' ||
                          *text == '\t' || *text == '\r');
  }

  /// Whether a line of this text alone is no row: readers pass over empty lines, and for
  /// PostgreSQL's COPY FROM, up to version 17, the data ends at `\.`.
  static bool IsNoRow(const char* text, size_t bytes) {
    return bytes == 0 || (bytes == 2 && text[0] == '\\' && text[1] == '.');
  }

  /// The path for strings that hold a special byte, may read like the null marker, are formulas or
  /// no row, or stand in quotes anyway.
  char* WriteCarefully(const char* text, size_t bytes, bool special, char* out) const;
  /// Base64.
  char* WriteBinary(const char* bytes, size_t count, char* out) const;
  char* WriteBoolean(bool value, bool quoted, char* out) const;
  /// Finishes a float whose text stands at `begin`.
  char* WriteNumber(FloatText number, bool quoted, char* begin) const;
  /// Puts quotes around a value that is no string and stands in [begin, end), where it needs them.
  char* Quote(char* begin, char* end, bool quoted) const;
};

/// The same for JSON: objects whose keys are the columns' prefixes.
struct JsonDialect {
  static constexpr bool kJson = true;
  static constexpr size_t kGrowth = 6;  // \u001f
  static constexpr size_t kAround = 2;

  SpecialBytes specials{
      "\"\\"};  ///< The bytes besides control characters that a string cannot hold.
  uint8_t null_bytes = 4;
  uint8_t row_end_bytes = 2;
  char null_text[Buffer::kSlack] = {'n', 'u', 'l', 'l'};
  char row_end[8] = {'}', '\n'};

  /// The path for strings that hold a quote, a backslash or a control character (RFC 8259, 7).
  char* WriteCarefully(const char* text, size_t bytes, char* out) const;
  /// Base64.
  char* WriteBinary(const char* bytes, size_t count, char* out) const;
  char* WriteBoolean(bool value, bool quoted, char* out) const;
  /// Puts quotes around NaN and the infinities, for which JSON has no number.
  char* WriteNumber(FloatText number, bool quoted, char* begin) const;
};

}  // namespace spillway::format
