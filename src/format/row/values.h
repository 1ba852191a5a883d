#pragma once

#include <cstddef>
#include <cstdint>

#include "format/row/column.h"

namespace spillway::format {

// Values whose text is too dear, or too rare, to be written inside the row loop. Each returns the
// end of what it wrote and may put 16 bytes after it.

/// IEEE 754 binary16.
struct HalfFloat {
  uint16_t bits;
};

/// A number, or one of NaN, Infinity, -Infinity.
struct FloatText {
  char* end;
  bool number;
};

/// The shortest text that reads back as the same float, as Python writes it: 14.0, 1e-05, 1e+16. At
/// most 32 bytes.
FloatText WriteFloat(float value, char* out);
FloatText WriteFloat(double value, char* out);
FloatText WriteFloat(HalfFloat value, char* out);

/// Puts quotes around the `bytes` bytes that stand at `begin`; returns the new end.
char* PutInQuotes(char* begin, size_t bytes);

/// A decimal of `column.width` little-endian bytes.
char* WriteWideDecimal(const Column& column, int64_t row, char* out);

/// Base64 with padding (RFC 4648, 4): 4 bytes for every 3 begun.
char* WriteBase64(const char* bytes, size_t count, char* out);

/// "23:59:59.000001"; nullptr for a value that is no time of a day. `units_per_second` says its
/// digits.
char* WriteTimeOfDay(int64_t value, int64_t units_per_second, char* out);

}  // namespace spillway::format
