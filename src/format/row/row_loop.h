#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "format/row/column.h"
#include "format/row/dialect.h"

namespace spillway::format {

/// Writes the value of one row of a column; returns the end of what it wrote, nullptr for a value
/// that the format cannot carry. The caller has made room for the worst case and Buffer::kSlack
/// after it.
template <class Dialect>
using CellWriter = char* (*)(const Dialect& dialect, const Column& column, int64_t row, char* out);

/// The first value of a block that could not be written.
struct RowFailure {
  int64_t row = -1;  ///< In the batch; -1 while all is well.
  uint32_t column = 0;
};

/// Writes rows [begin, end), each column by its writer; returns the end of what it wrote. After a
/// failure the written bytes must not be used.
template <class Dialect>
char* WriteRows(const Dialect& dialect, std::span<const Column> columns,
                std::span<const CellWriter<Dialect>> writers, int64_t begin, int64_t end, char* out,
                RowFailure* failure);

/// `nullable` where values may be absent.
template <class Dialect>
CellWriter<Dialect> CellWriterFor(Kind kind, bool nullable);

}  // namespace spillway::format
