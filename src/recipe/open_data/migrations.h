#pragma once

#include <chrono>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "postgres/connection.h"

namespace spillway::recipe::open_data {

/// The files of migrations/, in order; `@schema@` stands for the quoted schema.
std::span<const std::string_view> Migrations();

/// The version that the log in the connection's first schema has; 0: there is none.
Result<int> LogVersion(postgres::Connection& connection);

/// The version that this program works with.
int LogVersionKnown();

/// kNotFound or kUnsupported, saying what to do, for a log that this program cannot work with.
Result<> CheckLog(postgres::Connection& connection);

/// Creates or updates the log and its functions in the connection's first schema, in one
/// transaction; processes that do so at once wait for each other. Returns the version there was.
/// kUnsupported for a newer one.
Result<int> MigrateLog(postgres::Connection& connection);

/// Sets how a reading at midnight counts; says whether that is a change (then the days are to be
/// recounted).
Result<bool> SetDayBound(postgres::Connection& connection, bool time_ending);

/// Sets for how long a day is left alone once it is over.
Result<> SetSettle(postgres::Connection& connection, std::chrono::milliseconds settle);

/// kConflict, saying what to do, where the log has another one in force.
Result<> CheckSettle(postgres::Connection& connection, std::chrono::milliseconds settle,
                     const std::stop_token& stop = {});

/// Gives the roles what exporters need, and no more: the reader may read the log and the three
/// views, the writer may call the exporter's functions. kNotFound with the statement to run for a
/// role or a view that there is not.
Result<> GrantLog(postgres::Connection& connection, const std::string& reader,
                  const std::string& writer);

}  // namespace spillway::recipe::open_data
