#include <cstring>
#include <type_traits>
#include <utility>

#include "format/row/copy_finding_special.h"
#include "format/row/digits.h"
#include "format/row/instant_text.h"
#include "format/row/row_loop.h"
#include "format/row/values.h"

namespace spillway::format {
namespace {

/// The value of a row, at any alignment.
template <class T>
[[gnu::always_inline]] inline T At(const Column& column, int64_t row) {
  T value;
  std::memcpy(&value, static_cast<const T*>(column.values) + row, sizeof(T));
  return value;
}

[[gnu::always_inline]] inline bool BitAt(const uint8_t* bits, int64_t i) {
  return (bits[i >> 3] >> (i & 7) & 1) != 0;
}

/// Both ends have slack after them.
[[gnu::always_inline]] inline char* CopyWithSlack(const char* from, size_t bytes, char* out) {
  std::memcpy(out, from, 16);
  for (size_t done = 16; done < bytes; done += 16) std::memcpy(out + done, from + done, 16);
  return out + bytes;
}

/// Quotes around a value, where its column asks for them.
[[gnu::always_inline]] inline char* Quote(const Column& column, char* out) {
  if (column.quoted) [[unlikely]]
    *out++ = '"';
  return out;
}

[[gnu::always_inline]] inline char* WriteText(const CsvDialect& dialect, const char* text,
                                              size_t bytes, char* out) {
  const bool special = CopyFindingSpecial<false>(dialect.specials, text, bytes, out);
  if (special || bytes == dialect.marker_bytes ||
      (dialect.careful && (dialect.quote_all || CsvDialect::IsNoRow(text, bytes) ||
                           CsvDialect::IsFormula(text, bytes)))) [[unlikely]] {
    return dialect.WriteCarefully(text, bytes, special, out);
  }
  return out + bytes;
}

[[gnu::always_inline]] inline char* WriteText(const JsonDialect& dialect, const char* text,
                                              size_t bytes, char* out) {
  *out = '"';
  if (CopyFindingSpecial<true>(dialect.specials, text, bytes, out + 1)) [[unlikely]] {
    return dialect.WriteCarefully(text, bytes, out);
  }
  out[bytes + 1] = '"';
  return out + bytes + 2;
}

/// How a value of one kind is written; Write is nullptr for one that the format cannot carry.
template <class Dialect, Kind kKind>
struct Cell;

template <class Dialect, class Offset>
struct TextCell {
  [[gnu::always_inline]] static inline char* Write(const Dialect& dialect, const Column& column,
                                                   int64_t row, char* out) {
    const Offset begin = At<Offset>(column, row);
    return WriteText(dialect, column.bytes + begin,
                     static_cast<size_t>(At<Offset>(column, row + 1) - begin), out);
  }
};

template <class Dialect, class Offset>
struct BinaryCell {
  static char* Write(const Dialect& dialect, const Column& column, int64_t row, char* out) {
    const Offset begin = At<Offset>(column, row);
    return dialect.WriteBinary(column.bytes + begin,
                               static_cast<size_t>(At<Offset>(column, row + 1) - begin), out);
  }
};

template <class Dialect, class Integer>
struct IntegerCell {
  [[gnu::always_inline]] static inline char* Write(const Dialect&, const Column& column,
                                                   int64_t row, char* out) {
    const Integer value = At<Integer>(column, row);
    out = Quote(column, out);
    out = std::is_signed_v<Integer> ? WriteSigned(static_cast<int64_t>(value), out)
                                    : WriteUnsigned(static_cast<uint64_t>(value), out);
    return Quote(column, out);
  }
};

template <class Dialect, class Stored>
struct FloatCell {
  static char* Write(const Dialect& dialect, const Column& column, int64_t row, char* out) {
    return dialect.WriteNumber(WriteFloat(At<Stored>(column, row), out), column.quoted, out);
  }
};

template <class Dialect, int kDigits>
struct InstantCell {
  [[gnu::always_inline]] static inline char* Write(const Dialect&, const Column& column,
                                                   int64_t row, char* out) {
    return column.instants->Write<kDigits>(At<int64_t>(column, row), out);
  }
};

/// Text that is a number: no formula, and nothing in it needs quotes.
template <class Dialect>
struct Cell<Dialect, Kind::kNumberText> {
  static char* Write(const Dialect& dialect, const Column& column, int64_t row, char* out) {
    if constexpr (Dialect::kJson) {
      return TextCell<Dialect, int32_t>::Write(dialect, column, row, out);
    } else {
      const int32_t begin = At<int32_t>(column, row);
      const auto bytes = static_cast<size_t>(At<int32_t>(column, row + 1) - begin);
      if (bytes != 0) std::memcpy(out, column.bytes + begin, bytes);
      return dialect.Quote(out, out + bytes, column.quoted);
    }
  }
};

template <class Dialect>
struct Cell<Dialect, Kind::kAbsent> {
  static char* Write(const Dialect& dialect, const Column&, int64_t, char* out) {
    return CopyWithSlack(dialect.null_text, dialect.null_bytes, out);
  }
};

template <class Dialect>
struct Cell<Dialect, Kind::kBoolean> {
  static char* Write(const Dialect& dialect, const Column& column, int64_t row, char* out) {
    return dialect.WriteBoolean(
        BitAt(static_cast<const uint8_t*>(column.values), column.offset + row), column.quoted, out);
  }
};

template <class Dialect>
struct Cell<Dialect, Kind::kDecimal> {
  [[gnu::always_inline]] static inline char* Write(const Dialect&, const Column& column,
                                                   int64_t row, char* out) {
    const int64_t value = column.width == 4 ? At<int32_t>(column, row)
                                            : At<int64_t>(column, row * (column.width >> 3));
    return Quote(column, WriteDecimal(value, column.scale, Quote(column, out)));
  }
};

template <class Dialect>
struct Cell<Dialect, Kind::kWideDecimal> {
  static char* Write(const Dialect&, const Column& column, int64_t row, char* out) {
    return Quote(column, WriteWideDecimal(column, row, Quote(column, out)));
  }
};

template <class Dialect>
struct Cell<Dialect, Kind::kFixedBinary> {
  static char* Write(const Dialect& dialect, const Column& column, int64_t row, char* out) {
    return dialect.WriteBinary(static_cast<const char*>(column.values) + row * column.scale,
                               static_cast<size_t>(column.scale), out);
  }
};

template <class Dialect>
struct Cell<Dialect, Kind::kDate> {
  static char* Write(const Dialect&, const Column& column, int64_t row, char* out) {
    return column.instants->WriteDate(At<int32_t>(column, row), out);
  }
};

template <class Dialect>
struct Cell<Dialect, Kind::kTimeOfDay> {
  static char* Write(const Dialect&, const Column& column, int64_t row, char* out) {
    const int64_t value = column.width == 4 ? At<int32_t>(column, row) : At<int64_t>(column, row);
    out = WriteTimeOfDay(value, column.scale, Quote(column, out));
    return out == nullptr ? nullptr : Quote(column, out);
  }
};

template <class Dialect, class Index>
struct EntryCell {
  [[gnu::always_inline]] static inline char* Write(const Dialect&, const Column& column,
                                                   int64_t row, char* out) {
    const uint32_t* starts = column.starts + At<Index>(column, row);
    return CopyWithSlack(column.bytes + starts[0], starts[1] - starts[0], out);
  }
};

template <class Dialect>
struct Cell<Dialect, Kind::kInt8> : IntegerCell<Dialect, int8_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kInt16> : IntegerCell<Dialect, int16_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kInt32> : IntegerCell<Dialect, int32_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kInt64> : IntegerCell<Dialect, int64_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kUint8> : IntegerCell<Dialect, uint8_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kUint16> : IntegerCell<Dialect, uint16_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kUint32> : IntegerCell<Dialect, uint32_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kUint64> : IntegerCell<Dialect, uint64_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kHalfFloat> : FloatCell<Dialect, HalfFloat> {};
template <class Dialect>
struct Cell<Dialect, Kind::kFloat> : FloatCell<Dialect, float> {};
template <class Dialect>
struct Cell<Dialect, Kind::kDouble> : FloatCell<Dialect, double> {};
template <class Dialect>
struct Cell<Dialect, Kind::kString> : TextCell<Dialect, int32_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kLargeString> : TextCell<Dialect, int64_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kBinary> : BinaryCell<Dialect, int32_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kLargeBinary> : BinaryCell<Dialect, int64_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kSecond> : InstantCell<Dialect, 0> {};
template <class Dialect>
struct Cell<Dialect, Kind::kMillisecond> : InstantCell<Dialect, 3> {};
template <class Dialect>
struct Cell<Dialect, Kind::kMicrosecond> : InstantCell<Dialect, 6> {};
template <class Dialect>
struct Cell<Dialect, Kind::kNanosecond> : InstantCell<Dialect, 9> {};
template <class Dialect>
struct Cell<Dialect, Kind::kEntry8> : EntryCell<Dialect, uint8_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kEntry16> : EntryCell<Dialect, uint16_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kEntry32> : EntryCell<Dialect, uint32_t> {};
template <class Dialect>
struct Cell<Dialect, Kind::kEntry64> : EntryCell<Dialect, int64_t> {};

template <class Dialect, Kind kKind, bool kNullable>
char* WriteCell(const Dialect& dialect, const Column& column, int64_t row, char* out) {
  if constexpr (kNullable) {
    if (!BitAt(column.validity, column.offset + row)) {
      return CopyWithSlack(dialect.null_text, dialect.null_bytes, out);
    }
  }
  return Cell<Dialect, kKind>::Write(dialect, column, row, out);
}

template <class Dialect, size_t... kKinds>
CellWriter<Dialect> WriterOf(Kind kind, bool nullable, std::index_sequence<kKinds...>) {
  static constexpr CellWriter<Dialect> kPresent[] = {
      WriteCell<Dialect, static_cast<Kind>(kKinds), false>...};
  static constexpr CellWriter<Dialect> kNullable[] = {
      WriteCell<Dialect, static_cast<Kind>(kKinds), true>...};
  return (nullable ? kNullable : kPresent)[static_cast<size_t>(kind)];
}

}  // namespace

template <class Dialect>
CellWriter<Dialect> CellWriterFor(Kind kind, bool nullable) {
  return WriterOf<Dialect>(kind, nullable, std::make_index_sequence<kKindCount>());
}

template CellWriter<CsvDialect> CellWriterFor(Kind, bool);
template CellWriter<JsonDialect> CellWriterFor(Kind, bool);

}  // namespace spillway::format
