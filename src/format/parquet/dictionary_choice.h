#pragma once

#include <arrow/type_fwd.h>

namespace spillway::format {

/// Whether a Parquet dictionary is likely to make a column smaller, judged by the first rows of it:
/// where most values differ, building one only takes time. Columns that come dictionary-encoded
/// always keep it.
bool DictionaryPays(const arrow::Array& values);

}  // namespace spillway::format
