#include "format/row/text_check.h"

#include <simdjson.h>

namespace spillway::format {
namespace {

bool ContinuesCharacter(char byte) { return (static_cast<uint8_t>(byte) & 0xc0) == 0x80; }

template <class Offset>
bool IsValid(const Column& column, int64_t begin, int64_t end) {
  const auto* offsets = static_cast<const Offset*>(column.values);
  const auto bytes = static_cast<size_t>(offsets[end] - offsets[begin]);
  return bytes == 0 || simdjson::validate_utf8(column.bytes + offsets[begin], bytes);
}

template <class Offset>
int64_t FirstInvalid(const Column& column, int64_t rows) {
  // All at once: valid together, and none begins inside a character.
  const auto* offsets = static_cast<const Offset*>(column.values);
  bool all = IsValid<Offset>(column, 0, rows);
  for (int64_t row = 0; all && row < rows; ++row) {
    all = offsets[row] == offsets[row + 1] || !ContinuesCharacter(column.bytes[offsets[row]]);
  }
  for (int64_t row = 0; !all && row < rows; ++row) {
    const int64_t bit = column.offset + row;
    const bool present =
        column.validity == nullptr || (column.validity[bit >> 3] >> (bit & 7) & 1) != 0;
    if (present && !IsValid<Offset>(column, row, row + 1)) return row;
  }
  return -1;
}

}  // namespace

bool IsValidText(const Column& column, int64_t row) {
  return column.kind == Kind::kString ? IsValid<int32_t>(column, row, row + 1)
                                      : IsValid<int64_t>(column, row, row + 1);
}

int64_t FirstInvalidText(const Column& column, int64_t rows) {
  if (rows == 0) return -1;
  return column.kind == Kind::kString ? FirstInvalid<int32_t>(column, rows)
                                      : FirstInvalid<int64_t>(column, rows);
}

}  // namespace spillway::format
