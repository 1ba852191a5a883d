#pragma once

#include <string_view>

#include <arrow/type_fwd.h>

#include "base/error.h"

namespace spillway::format {

/// What readers that find columns by name need: names in UTF-8, each different from the others.
/// Names that differ in case only are different: they are to pandas, pyarrow, polars and DuckDB.
/// kInvalidArgument names what is wrong; `format` is who needs it, as in "JSON".
Result<> CheckColumnNames(const arrow::Schema& schema, std::string_view format);

}  // namespace spillway::format
