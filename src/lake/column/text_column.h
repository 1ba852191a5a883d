#pragma once

#include <memory>

#include "lake/column/column_reader.h"

namespace spillway::lake {

/// Reads text and binary values. Null when the stored form is another.
std::unique_ptr<ColumnReader> MakeTextColumn(const parquet::ColumnDescriptor& stored,
                                             const std::shared_ptr<arrow::DataType>& type,
                                             const ColumnMemory& memory);

}  // namespace spillway::lake
