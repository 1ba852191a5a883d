#pragma once

#include <cstdint>

#include "format/row/column.h"

namespace spillway::format {

/// Whether one row of a bound string column is valid UTF-8.
bool IsValidText(const Column& column, int64_t row);

/// The first of `rows` rows of a bound string column that is no valid UTF-8; -1 when all are.
int64_t FirstInvalidText(const Column& column, int64_t rows);

}  // namespace spillway::format
