#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "store/sqlite/connection.h"

namespace spillway::store {

/// The numbered files of migrations/, in order; the first is version 1. Whatever older programs
/// would misread is one, even where no table changes, such as another form of results.
std::span<const std::string_view> Migrations();

/// Brings the file to the newest schema, each step in its own transaction; several processes may
/// race. kUnsupported for a schema that is newer than this program or is another program's.
Result<> Migrate(Connection& connection, std::string_view path);

/// kUnsupported once a newer program has migrated the file. In a transaction, for the whole of it.
Result<> RefuseNewer(Connection& connection, std::string_view path);

}  // namespace spillway::store
