#pragma once

#include <cstddef>
#include <cstdint>

namespace spillway::format {

class InstantText;

/// How the values of a column are stored, which decides the code that writes them.
enum class Kind : uint8_t {
  kAbsent,  ///< No value at all: Arrow's null type.
  kBoolean,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kHalfFloat,
  kFloat,
  kDouble,
  kDecimal,      ///< Of at most 18 digits; `width` bytes, of which the low 8 say everything.
  kWideDecimal,  ///< Any other.
  kString,       ///< 32-bit offsets.
  kLargeString,  ///< 64-bit offsets.
  kNumberText,   ///< A string that spells a number (batch::IsNumberText).
  kBinary,
  kLargeBinary,
  kFixedBinary,
  kDate,  ///< Days, 32 bits.
  kSecond,
  kMillisecond,
  kMicrosecond,
  kNanosecond,
  kTimeOfDay,  ///< `width` bytes; `scale` units a second.
  kEntry8,     ///< Indices of 8 bits into a dictionary's ready text.
  kEntry16,
  kEntry32,
  kEntry64,
};

inline constexpr size_t kKindCount = static_cast<size_t>(Kind::kEntry64) + 1;

/// One column of one batch, bound to raw memory: what the row loop reads.
struct Column {
  Kind kind = Kind::kAbsent;
  bool quoted = false;  ///< Values that are neither strings nor binary are quoted.
  uint8_t width = 0;    ///< Bytes of one stored value, where the kind leaves it open.
  int32_t scale = 0;    ///< Of decimals; units a second of times; bytes of one fixed binary.
  const uint8_t* validity = nullptr;  ///< nullptr when no value is absent.
  int64_t offset = 0;                 ///< Of the first row in `validity` and in booleans.
  const void* values = nullptr;       ///< At the first row: values, offsets or indices.
  const char* bytes = nullptr;        ///< What `values` or `starts` point into; entries have
                                      ///< Buffer::kSlack bytes after them.
  InstantText* instants = nullptr;
  const uint32_t* starts = nullptr;  ///< Dictionary entry i, ready for the file, is [starts[i],
                                     ///< starts[i + 1]) of `bytes`.
  const char* prefix = nullptr;  ///< Written before the value: a JSON key. Buffer::kSlack bytes may
                                 ///< be read after it.
  uint32_t prefix_bytes = 0;
  uint32_t index = 0;  ///< In the schema.
};

}  // namespace spillway::format
