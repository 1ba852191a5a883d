#include "format/row/text_check.h"

#include <simdjson.h>

namespace spillway::format {
namespace {

bool ContinuesCharacter(char byte) { return (static_cast<uint8_t>(byte) & 0xc0) == 0x80; }

template <class Offset>
int64_t FirstInvalid(const Column& column, int64_t rows) {
  const auto* offsets = static_cast<const Offset*>(column.values);
  const char* bytes = column.bytes;
  const auto valid = [bytes](Offset begin, Offset end) {
    return begin == end || simdjson::validate_utf8(bytes + begin, static_cast<size_t>(end - begin));
  };
  // All at once: valid together, and none begins inside a character.
  bool all = valid(offsets[0], offsets[rows]);
  for (int64_t row = 0; all && row < rows; ++row) {
    all = offsets[row] == offsets[row + 1] || !ContinuesCharacter(bytes[offsets[row]]);
  }
  for (int64_t row = 0; !all && row < rows; ++row) {
    const int64_t bit = column.offset + row;
    const bool present =
        column.validity == nullptr || (column.validity[bit >> 3] >> (bit & 7) & 1) != 0;
    if (present && !valid(offsets[row], offsets[row + 1])) return row;
  }
  return -1;
}

}  // namespace

int64_t FirstInvalidText(const Column& column, int64_t rows) {
  return column.kind == Kind::kString ? FirstInvalid<int32_t>(column, rows)
                                      : FirstInvalid<int64_t>(column, rows);
}

}  // namespace spillway::format
