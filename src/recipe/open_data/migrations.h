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

/// The schema of our own that the log is made in beside another exporter's.
inline constexpr std::string_view kOwnSchema = "spillway_open_data";

/// The schema that has the log, or that MigrateLog makes it in, quoted. `configured`, unless it is
/// empty; else where the search_path has a log of ours; else kOwnSchema, if it has one, or is
/// there, or if the search_path has a log or a get_pending of somebody else; else the search_path's
/// first schema. kNotFound where there is none.
Result<std::string> LogSchema(postgres::Connection& connection, const std::string& configured = "");

/// `sql` with that in the place of @schema@.
std::string WithSchema(std::string_view sql, std::string_view schema);

// In all of these, `schema` is as LogSchema's `configured`.

/// The version that the log has; 0: there is none.
Result<int> LogVersion(postgres::Connection& connection, const std::string& schema = "");

/// The version that this program works with.
int LogVersionKnown();

/// kNotFound or kUnsupported, saying what to do, for a log that this program cannot work with.
Result<> CheckLog(postgres::Connection& connection, const std::string& schema = "");

/// Creates or updates the log and its functions, and the schema where it is missing, in one
/// transaction; processes that do so at once wait for each other. Returns the version there was.
/// kUnsupported for a newer one, kAlreadyExists where the schema has somebody else's log, kConflict
/// where none is configured and there is a log, or the views for one, in another.
Result<int> MigrateLog(postgres::Connection& connection, const std::string& schema = "");

/// Sets how a reading at midnight counts; says whether that is a change (then the days are to be
/// recounted).
Result<bool> SetDayBound(postgres::Connection& connection, bool time_ending,
                         const std::string& schema = "");

/// kConflict, saying what to do, where the log has the other one in force.
Result<> CheckDayBound(postgres::Connection& connection, bool time_ending,
                       const std::string& schema = "", const std::stop_token& stop = {});

/// Sets for how long a day is left alone once it is over.
Result<> SetSettle(postgres::Connection& connection, std::chrono::milliseconds settle,
                   const std::string& schema = "");

/// kConflict, saying what to do, where the log has another one in force.
Result<> CheckSettle(postgres::Connection& connection, std::chrono::milliseconds settle,
                     const std::string& schema = "", const std::stop_token& stop = {});

/// Of the log: what the reading role reads, and what the writing role calls.
std::span<const std::string> ReaderTables();
std::span<const std::string> WriterFunctions();

/// Gives the roles what exporters need, and no more: the reader may read the log and the three
/// views, the writer may call the exporter's functions. kNotFound with the statement to run for a
/// role or a view that there is not.
Result<> GrantLog(postgres::Connection& connection, const std::string& reader,
                  const std::string& writer, const std::string& schema = "");

}  // namespace spillway::recipe::open_data
