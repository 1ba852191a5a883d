#pragma once

#include <memory>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

namespace spillway::format {

/// Whether most readers of Parquet do not support the type: decimals of more than 38 digits. polars
/// and Spark refuse them, DuckDB reads them as doubles.
bool IsWideDecimal(const arrow::DataType& type);

/// The values of such a decimal256 column with all their digits, as CSV has them.
arrow::Result<std::shared_ptr<arrow::Array>> WideDecimalsAsText(const arrow::Array& decimals);

}  // namespace spillway::format
