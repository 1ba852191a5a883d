#pragma once

#include <string_view>

#include "base/error.h"

namespace spillway::storage {

/// The Error for a system call that failed on a path, in one line: what was tried ("write"), where,
/// why and what to do about it.
Error PathError(int errno_value, std::string_view tried, std::string_view path);

}  // namespace spillway::storage
