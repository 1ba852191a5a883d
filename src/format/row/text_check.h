#pragma once

#include <cstdint>

#include "format/row/column.h"

namespace spillway::format {

/// The first of `rows` rows of a bound string column that is no valid UTF-8; -1 when all are.
int64_t FirstInvalidText(const Column& column, int64_t rows);

}  // namespace spillway::format
