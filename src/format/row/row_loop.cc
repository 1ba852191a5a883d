#include "format/row/row_loop.h"

#include <cstring>

namespace spillway::format {

template <class Dialect>
char* WriteRows(const Dialect& dialect, std::span<const Column> columns,
                std::span<const CellWriter<Dialect>> writers, int64_t begin, int64_t end, char* out,
                RowFailure* failure) {
  char delimiter = 0;
  if constexpr (!Dialect::kJson) delimiter = dialect.delimiter;
  const size_t row_end_bytes = dialect.row_end_bytes;
  uint64_t row_end;
  std::memcpy(&row_end, dialect.row_end, 8);
  for (int64_t row = begin; row < end; ++row) {
    const CellWriter<Dialect>* writer = writers.data();
    for (const Column& column : columns) {
      if constexpr (Dialect::kJson) {
        for (uint32_t done = 0; done < column.prefix_bytes; done += 32) {
          std::memcpy(out + done, column.prefix + done, 32);
        }
        out += column.prefix_bytes;
      }
      out = (*writer++)(dialect, column, row, out);
      if (out == nullptr) [[unlikely]] {
        *failure = {row, column.index};
        return nullptr;
      }
      if constexpr (!Dialect::kJson) *out++ = delimiter;
    }
    if constexpr (!Dialect::kJson) --out;
    std::memcpy(out, &row_end, 8);
    out += row_end_bytes;
  }
  return out;
}

template char* WriteRows(const CsvDialect&, std::span<const Column>,
                         std::span<const CellWriter<CsvDialect>>, int64_t, int64_t, char*,
                         RowFailure*);
template char* WriteRows(const JsonDialect&, std::span<const Column>,
                         std::span<const CellWriter<JsonDialect>>, int64_t, int64_t, char*,
                         RowFailure*);

}  // namespace spillway::format
