#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/error.h"

namespace spillway::aws {

/// Looks up an environment variable. Injected, so that tests have their own.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The process's own. An empty variable counts as none.
Environment ProcessEnvironment();

/// A whole small text file; kNotFound where there is none.
Result<std::string> ReadTextFile(const std::string& path);

}  // namespace spillway::aws
