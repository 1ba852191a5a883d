#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

/// Tables for tests of formats.
namespace spillway::format {

/// text, number, at (us, UTC), price (decimal(18, 4)), channel (dictionary), flag. The first three
/// rows are known to the conformance suite; the others follow from their number.
std::shared_ptr<arrow::RecordBatch> SampleTable(int64_t rows);

/// The columns of SampleTable; every value is absent in some rows, all in some, none in some.
/// Strings are empty.
std::shared_ptr<arrow::RecordBatch> NullTable(int64_t rows);

/// The same rows, but each channel is named "changed <channel>", in another dictionary.
std::shared_ptr<arrow::RecordBatch> WithOtherDictionary(const arrow::RecordBatch& table);

/// The same rows, with the values of a dictionary-encoded column themselves.
std::shared_ptr<arrow::RecordBatch> WithoutDictionary(const arrow::RecordBatch& table, int column);

/// Columns c0, c1 … of row * columns + column, as strings and as numbers by turns; each seventh is
/// absent.
std::shared_ptr<arrow::RecordBatch> WideTable(int columns, int64_t rows);

/// One column of strings, "text".
std::shared_ptr<arrow::RecordBatch> TextTable(const std::vector<std::string>& values);

/// One column, named "value".
std::shared_ptr<arrow::RecordBatch> OneColumn(std::shared_ptr<arrow::Array> values);

}  // namespace spillway::format
