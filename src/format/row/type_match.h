#pragma once

#include <arrow/type_fwd.h>

namespace spillway::format {

/// Whether values of both types are the same in a file: dictionaries aside, and whatever zone is
/// noted.
bool ReadsAlike(const arrow::DataType& a, const arrow::DataType& b);

}  // namespace spillway::format
