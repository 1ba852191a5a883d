#include "recipe/open_data/migrations.h"

#include <array>

#include <fmt/format.h>

#include "postgres/transaction.h"

namespace spillway::recipe::open_data {
namespace {

/// Any number that no other program is likely to lock.
constexpr int64_t kLock = 7'305'164'482'115'021;

constexpr std::array kViews = {"open_data_locations", "open_data_sensors",
                               "open_data_measurements"};
constexpr std::string_view kReaderTables =
    "open_data_export_logs, open_data_settings, open_data_states, open_data_summary";
constexpr std::string_view kWriterFunctions =
    "get_pending, open_data_count_pending, open_data_hold, open_data_exported, open_data_failed, "
    "open_data_release, open_data_done, open_data_count_emptied, open_data_recount_days";

std::string WithSchema(std::string_view sql, std::string_view schema) {
  constexpr std::string_view kPlace = "@schema@";
  std::string text(sql);
  for (size_t at = text.find(kPlace); at != std::string::npos; at = text.find(kPlace, at)) {
    text.replace(at, kPlace.size(), schema);
    at += schema.size();
  }
  return text;
}

Result<std::string> SchemaOf(postgres::Connection& connection) {
  const postgres::Rows rows =
      TRY(connection.Execute("SELECT quote_ident(current_schema()), current_schema() IS NULL"));
  if (!rows.Boolean(0, 1)) return std::string(rows.Text(0, 0));
  return Fail(ErrorCode::kNotFound,
              "no schema of the search_path exists; create one, or name it in the address "
              "(options=-csearch_path=…)");
}

Result<bool> IsThere(postgres::Connection& connection, std::string_view sql,
                     const std::string& name) {
  const postgres::Rows rows = TRY(connection.Execute(std::string(sql), {name}));
  return rows.Boolean(0, 0);
}

Error NewerLog(int version) {
  return {.code = ErrorCode::kUnsupported,
          .message = fmt::format(
              "the export log is of version {}, made by a newer spillway; this one knows {}",
              version, LogVersionKnown())};
}

}  // namespace

int LogVersionKnown() { return static_cast<int>(Migrations().size()); }

Result<int> LogVersion(postgres::Connection& connection) {
  if (!TRY(IsThere(connection, "SELECT to_regclass($1) IS NOT NULL", "open_data_migrations"))) {
    return 0;
  }
  const postgres::Rows rows =
      TRY(connection.Execute("SELECT coalesce(max(version), 0) FROM open_data_migrations"));
  return static_cast<int>(rows.Integer(0, 0));
}

Result<> CheckLog(postgres::Connection& connection) {
  const int version = TRY(LogVersion(connection));
  if (version == LogVersionKnown()) return {};
  if (version > LogVersionKnown()) return std::unexpected(NewerLog(version));
  const std::string found =
      version == 0 ? "has no export log" : fmt::format("has an export log of version {}", version);
  return Fail(ErrorCode::kNotFound,
              fmt::format("{} {}; run `spillway open-data migrate`", connection.server(), found));
}

Result<int> MigrateLog(postgres::Connection& connection) {
  postgres::Transaction transaction = TRY(postgres::Transaction::Begin(connection));
  TRY(connection.Execute("SELECT pg_advisory_xact_lock($1)", {kLock}));
  // The functions speak of views that the database's owner may define afterwards.
  TRY(connection.Execute("SET LOCAL check_function_bodies = off"));
  const std::string schema = TRY(SchemaOf(connection));
  const int before = TRY(LogVersion(connection));
  if (before > LogVersionKnown()) {
    return std::unexpected(NewerLog(before));
  }
  if (before == 0) {
    TRY(
        connection.ExecuteScript("CREATE TABLE open_data_migrations (version integer PRIMARY KEY, "
                                 "applied_on timestamptz NOT NULL DEFAULT now())"));
  }
  for (int version = before + 1; version <= LogVersionKnown(); ++version) {
    TRY(connection.ExecuteScript(
        WithSchema(Migrations()[static_cast<size_t>(version - 1)], schema)));
    TRY(connection.Execute("INSERT INTO open_data_migrations (version) VALUES ($1)", {version}));
  }
  TRY(transaction.Commit());
  return before;
}

Result<bool> SetDayBound(postgres::Connection& connection, bool time_ending) {
  const postgres::Rows rows = TRY(connection.Execute(
      "UPDATE open_data_settings SET day_bound = $1 WHERE day_bound <> $1 RETURNING 1",
      {time_ending ? "time_ending" : "time_beginning"}));
  return !rows.empty();
}

Result<> SetSettle(postgres::Connection& connection, std::chrono::milliseconds settle) {
  TRY(connection.Execute("UPDATE open_data_settings SET settle = $1::interval WHERE settle <> $1",
                         {std::to_string(settle.count()) + " milliseconds"}));
  return {};
}

Result<> CheckSettle(postgres::Connection& connection, std::chrono::milliseconds settle,
                     const std::stop_token& stop) {
  const postgres::Rows rows =
      TRY(connection.Execute("SELECT settle = $1::interval, settle::text FROM open_data_settings",
                             {std::to_string(settle.count()) + " milliseconds"}, stop));
  if (rows.Boolean(0, 0)) return {};
  return Fail(ErrorCode::kConflict,
              fmt::format("open_data.settle is {} s, but the log lets days settle for {}; run "
                          "`spillway open-data migrate`, which puts the setting into force",
                          settle.count() / 1000, rows.Text(0, 1)));
}

Result<> GrantLog(postgres::Connection& connection, const std::string& reader,
                  const std::string& writer) {
  for (const std::string& role : {reader, writer}) {
    if (!TRY(IsThere(connection, "SELECT count(*) > 0 FROM pg_roles WHERE rolname = $1", role))) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("there is no role \"{}\"; run: CREATE ROLE {} LOGIN PASSWORD '…'",
                              role, TRY(connection.QuoteIdentifier(role))));
    }
  }
  for (const char* view : kViews) {
    if (TRY(IsThere(connection, "SELECT to_regclass($1) IS NOT NULL", view))) continue;
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no view {}; create it as docs/open-data.md shows, then run "
                            "this again",
                            view));
  }
  const std::string schema = TRY(SchemaOf(connection));
  const std::string read_role = TRY(connection.QuoteIdentifier(reader));
  const std::string write_role = TRY(connection.QuoteIdentifier(writer));
  return connection.ExecuteScript(fmt::format(
      "GRANT USAGE ON SCHEMA {0} TO {1}, {2}; GRANT SELECT ON open_data_migrations TO {1}, {2}; "
      "GRANT SELECT ON {3}, {4}, {5}, {6} TO {1}; "
      "GRANT EXECUTE ON FUNCTION {7} TO {2}",
      schema, read_role, write_role, kReaderTables, kViews[0], kViews[1], kViews[2],
      kWriterFunctions));
}

}  // namespace spillway::recipe::open_data
