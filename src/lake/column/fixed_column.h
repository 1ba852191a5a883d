#pragma once

#include <memory>

#include "lake/column/column_reader.h"

namespace spillway::lake {

/// Reads values of a fixed width: booleans, integers, floating point, times, decimals. Null when
/// the stored form does not fit the type.
std::unique_ptr<ColumnReader> MakeFixedColumn(const parquet::ColumnDescriptor& stored,
                                              const std::shared_ptr<arrow::DataType>& type,
                                              const ColumnMemory& memory);

}  // namespace spillway::lake
