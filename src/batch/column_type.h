#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <arrow/type_fwd.h>

#include "base/error.h"

namespace spillway::batch {

/// The Arrow type that a column's type is written as in configurations: string (utf8), timestamp
/// (microseconds, UTC), int64, double, bool, date (date32) and decimal(precision,scale)
/// (decimal128). kInvalidArgument says which of them was likely meant.
Result<std::shared_ptr<arrow::DataType>> ParseColumnType(std::string_view text);

/// The inverse of ParseColumnType; kUnsupported for types that have no such text.
Result<std::string> FormatColumnType(const arrow::DataType& type);

}  // namespace spillway::batch
