#pragma once

#include <span>
#include <string_view>

#include "base/error.h"
#include "postgres/connection.h"

namespace spillway::store::postgres_state {

/// The numbered files of migrations/, in order; the first is version 1. Whatever older programs
/// would misread is one, even where no table changes, such as another form of results.
std::span<const std::string_view> Migrations();

/// Which schema the database has; 0 for none. kUnsupported for one that is newer than this
/// program's or another program's.
Result<size_t> SchemaVersion(postgres::Connection& connection);

/// Brings the database to the newest schema in one transaction; several processes may race.
Result<> Migrate(postgres::Connection& connection);

}  // namespace spillway::store::postgres_state
