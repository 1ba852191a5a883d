#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "store/sqlite/connection.h"

namespace spillway::store {

/// The numbered files of migrations/, in order; the first is version 1.
std::span<const std::string_view> Migrations();

/// Brings the file to the newest schema, each step in its own transaction; several processes may
/// race. kUnsupported for a schema that is newer than this program or is another program's.
Result<> Migrate(Connection& connection, std::string_view path);

}  // namespace spillway::store
