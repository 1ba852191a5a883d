#include "recipe/open_data/migrations.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <vector>

#include <fmt/format.h>

#include "postgres/transaction.h"

namespace spillway::recipe::open_data {
namespace {

/// Any number that no other program is likely to lock.
constexpr int64_t kLock = 7'305'164'482'115'021;

constexpr std::array<std::string_view, 3> kViews = {"open_data_locations", "open_data_sensors",
                                                    "open_data_measurements"};

constexpr std::string_view kSchema = R"sql(
  WITH path AS (
    SELECT nspname, place FROM unnest(current_schemas(false)) WITH ORDINALITY AS p (nspname, place)
  ), logs AS (
    SELECT nspname, relname = 'open_data_migrations' AS is_ours
    FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relname IN ('open_data_migrations', 'open_data_export_logs')
    UNION
    SELECT nspname, false FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace
    WHERE proname = 'get_pending'
  )
  SELECT quote_ident(coalesce(
    nullif($1, ''),
    (SELECT nspname FROM path JOIN logs USING (nspname) WHERE is_ours ORDER BY place LIMIT 1),
    (SELECT nspname FROM pg_namespace WHERE nspname = $2),
    CASE WHEN EXISTS (SELECT FROM path JOIN logs USING (nspname)) THEN $2 END,
    current_schema())))sql";

constexpr std::string_view kHasRelation = R"sql(
  SELECT EXISTS (SELECT FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
                 WHERE quote_ident(nspname) = $1 AND relname = $2))sql";

/// Schemas other than $1 that have a log of ours, and those that have the views for one.
constexpr std::string_view kElsewhere = R"sql(
  WITH found AS (
    SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relname = ANY ('{open_data_migrations,open_data_export_logs,open_data_measurements}')
  )
  SELECT (SELECT min(quote_ident(nspname)) FROM found
          WHERE relname = 'open_data_migrations' AND quote_ident(nspname) <> $1),
         (SELECT min(quote_ident(nspname)) FROM found
          WHERE relname = 'open_data_measurements' AND $1 NOT IN (
            SELECT quote_ident(nspname) FROM found WHERE relname = 'open_data_measurements')
          AND nspname NOT IN (SELECT nspname FROM found WHERE relname = 'open_data_export_logs')))sql";

/// What runs with the owner's rights is for those alone whom GrantLog names.
constexpr std::string_view kRevoke = R"sql(
  DO $revoke$
  DECLARE
    exposed regprocedure;
  BEGIN
    FOR exposed IN
      SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
      WHERE nspname = current_schema() AND prosecdef
        AND (proname LIKE 'open\_data\_%' OR proname = 'get_pending')
    LOOP
      EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', exposed);
    END LOOP;
  END $revoke$)sql";

Result<bool> IsThere(postgres::Connection& connection, std::string_view sql,
                     std::initializer_list<postgres::Parameter> parameters) {
  const postgres::Rows rows = TRY(connection.Execute(std::string(sql), parameters));
  return rows.Boolean(0, 0);
}

Result<> RequireView(postgres::Connection& connection, const std::string& schema,
                     std::string_view view) {
  const std::string name(view);
  if (TRY(IsThere(connection, kHasRelation, {schema, name}))) return {};
  // Not where a log reads it.
  const postgres::Rows elsewhere = TRY(connection.Execute(
      "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
      "WHERE c.oid = to_regclass($1) AND "
      "to_regclass(format('%I.open_data_migrations', nspname)) IS NULL",
      {name}));
  const std::string advice = elsewhere.empty()
                                 ? "create it as docs/open-data.md shows"
                                 : fmt::format("there is {0}; run: ALTER VIEW {0} SET SCHEMA {1}",
                                               elsewhere.Text(0, 0), schema);
  return Fail(ErrorCode::kNotFound,
              fmt::format("there is no view {}.{}; {}, then run this again", schema, view, advice));
}

/// GRANT EXECUTE statements for the functions of those names, with their full signatures.
Result<std::string> WriterGrants(postgres::Connection& connection, const std::string& schema,
                                 const std::string& role) {
  const postgres::Rows rows = TRY(connection.Execute(
      "SELECT coalesce(string_agg(format('GRANT EXECUTE ON FUNCTION %I.%I(%s) TO %s; ', nspname, "
      "proname, pg_get_function_identity_arguments(p.oid), $3::text), '' ORDER BY p.oid), '') "
      "FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace "
      "WHERE quote_ident(nspname) = $1 AND proname = ANY ($2) AND prosecdef",
      {schema, WriterFunctions(), role}));
  return std::string(rows.Text(0, 0));
}

std::string_view BoundName(bool time_ending) {
  return time_ending ? "time_ending" : "time_beginning";
}

/// Where a log is to be made: kConflict where the views for one are in another schema, or a log is
/// and nobody has `named` this one.
Result<> RefuseSecondLog(postgres::Connection& connection, const std::string& schema, bool named) {
  const postgres::Rows rows = TRY(connection.Execute(std::string(kElsewhere), {schema}));
  for (const auto& [column, what] :
       {std::pair(0, "there is an export log"), std::pair(1, "the views for an export log are")}) {
    if (rows.IsNull(0, column) || (column == 0 && named)) continue;
    return Fail(ErrorCode::kConflict,
                fmt::format("{0} in schema {1}, and this would make another in {2}; write "
                            "open_data.database.schema: {1}, or {2} where another is meant and the "
                            "views are there",
                            what, rows.Text(0, column), schema));
  }
  return {};
}

Error NewerLog(int version) {
  return {.code = ErrorCode::kUnsupported,
          .message = fmt::format(
              "the export log is of version {}, made by a newer spillway; this one knows {}",
              version, LogVersionKnown())};
}

}  // namespace

std::span<const std::string> ReaderTables() {
  static const std::vector<std::string> kTables = {"open_data_export_logs", "open_data_settings",
                                                   "open_data_states", "open_data_summary"};
  return kTables;
}

std::span<const std::string> WriterFunctions() {
  static const std::vector<std::string> kFunctions = {
      "get_pending",          "open_data_count_pending",
      "open_data_hold",       "open_data_exported",
      "open_data_failed",     "open_data_release",
      "open_data_done",       "open_data_recount_days",
      "open_data_mark",       "open_data_known_locations",
      "open_data_let_remove", "open_data_note_lost",
      "open_data_unsure"};
  return kFunctions;
}

int LogVersionKnown() { return static_cast<int>(Migrations().size()); }

std::string WithSchema(std::string_view sql, std::string_view schema) {
  constexpr std::string_view kPlace = "@schema@";
  std::string text(sql);
  for (size_t at = text.find(kPlace); at != std::string::npos; at = text.find(kPlace, at)) {
    text.replace(at, kPlace.size(), schema);
    at += schema.size();
  }
  return text;
}

Result<std::string> LogSchema(postgres::Connection& connection, const std::string& configured) {
  const postgres::Rows rows =
      TRY(connection.Execute(std::string(kSchema), {configured, std::string(kOwnSchema)}));
  if (!rows.IsNull(0, 0)) return std::string(rows.Text(0, 0));
  return Fail(ErrorCode::kNotFound,
              "no schema of the search_path exists; name one in open_data.database.schema");
}

Result<int> LogVersion(postgres::Connection& connection, const std::string& configured) {
  const std::string schema = TRY(LogSchema(connection, configured));
  if (!TRY(IsThere(connection, kHasRelation, {schema, "open_data_migrations"}))) return 0;
  const postgres::Rows rows = TRY(connection.Execute(
      WithSchema("SELECT coalesce(max(version), 0) FROM @schema@.open_data_migrations", schema)));
  return static_cast<int>(rows.Integer(0, 0));
}

Result<> CheckLog(postgres::Connection& connection, const std::string& configured) {
  const int version = TRY(LogVersion(connection, configured));
  if (version == LogVersionKnown()) return {};
  if (version > LogVersionKnown()) return std::unexpected(NewerLog(version));
  const std::string schema = TRY(LogSchema(connection, configured));
  const postgres::Rows elsewhere = TRY(connection.Execute(std::string(kElsewhere), {schema}));
  if (version == 0 && !elsewhere.IsNull(0, 0)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{0} has no export log in schema {1}, but one in {2}; write "
                            "open_data.database.schema: {2}",
                            connection.server(), schema, elsewhere.Text(0, 0)));
  }
  const std::string found =
      version == 0 ? "has no export log" : fmt::format("has an export log of version {}", version);
  return Fail(ErrorCode::kNotFound, fmt::format("{} {}; run the operation `open-data migrate`",
                                                connection.server(), found));
}

Result<int> MigrateLog(postgres::Connection& connection, const std::string& configured) {
  postgres::Transaction transaction = TRY(postgres::Transaction::Begin(connection));
  TRY(connection.Execute("SELECT pg_advisory_xact_lock($1)", {kLock}));
  // The functions speak of views that the database's owner may define afterwards.
  TRY(connection.Execute("SET LOCAL check_function_bodies = off"));
  TRY(connection.Execute("SET LOCAL client_min_messages = warning"));
  const std::string schema = TRY(LogSchema(connection, configured));
  const int before = TRY(LogVersion(connection, configured));
  if (before > LogVersionKnown()) {
    return std::unexpected(NewerLog(before));
  }
  if (before == 0) {
    TRY(RefuseSecondLog(connection, schema, !configured.empty()));
    if (TRY(IsThere(connection, kHasRelation, {schema, "open_data_export_logs"}))) {
      return Fail(ErrorCode::kAlreadyExists,
                  fmt::format("schema {} has an open_data_export_logs of another exporter; leave "
                              "open_data.database.schema out, or name another schema there",
                              schema));
    }
    if (!TRY(IsThere(connection,
                     "SELECT EXISTS (SELECT FROM pg_namespace WHERE quote_ident(nspname) = $1)",
                     {schema}))) {
      TRY(connection.Execute("CREATE SCHEMA " + schema));
    }
  }
  TRY(connection.Execute(fmt::format("SET LOCAL search_path = {}, pg_temp", schema)));
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
  if (before < LogVersionKnown()) TRY(connection.ExecuteScript(std::string(kRevoke)));
  TRY(transaction.Commit());
  return before;
}

Result<> CheckDayBound(postgres::Connection& connection, bool time_ending,
                       const std::string& configured, const std::stop_token& stop) {
  const std::string schema = TRY(LogSchema(connection, configured));
  const postgres::Rows rows = TRY(connection.Execute(
      WithSchema("SELECT day_bound FROM @schema@.open_data_settings", schema), {}, stop));
  const std::string_view wanted = BoundName(time_ending);
  if (rows.Text(0, 0) == wanted) return {};
  return Fail(ErrorCode::kConflict,
              fmt::format("open_data.day is {}, but the log counts by {}; run the operation "
                          "`open-data migrate`, which puts the setting into force, then the "
                          "operation `open-data recount`",
                          wanted, rows.Text(0, 0)));
}

Result<bool> SetDayBound(postgres::Connection& connection, bool time_ending,
                         const std::string& configured) {
  const std::string schema = TRY(LogSchema(connection, configured));
  const postgres::Rows rows = TRY(connection.Execute(
      WithSchema("UPDATE @schema@.open_data_settings SET day_bound = $1 WHERE day_bound <> $1 "
                 "RETURNING 1",
                 schema),
      {std::string(BoundName(time_ending))}));
  return !rows.empty();
}

Result<> SetSettle(postgres::Connection& connection, std::chrono::milliseconds settle,
                   const std::string& configured) {
  const std::string schema = TRY(LogSchema(connection, configured));
  TRY(connection.Execute(
      WithSchema("UPDATE @schema@.open_data_settings SET settle = $1::interval WHERE settle <> $1",
                 schema),
      {std::to_string(settle.count()) + " milliseconds"}));
  return {};
}

Result<> CheckSettle(postgres::Connection& connection, std::chrono::milliseconds settle,
                     const std::string& configured, const std::stop_token& stop) {
  const std::string schema = TRY(LogSchema(connection, configured));
  const postgres::Rows rows = TRY(connection.Execute(
      WithSchema("SELECT settle = $1::interval, settle::text FROM @schema@.open_data_settings",
                 schema),
      {std::to_string(settle.count()) + " milliseconds"}, stop));
  if (rows.Boolean(0, 0)) return {};
  return Fail(ErrorCode::kConflict,
              fmt::format("open_data.settle is {} s, but the log lets days settle for {}; run "
                          "the operation `open-data migrate`, which puts the setting into force",
                          settle.count() / 1000, rows.Text(0, 1)));
}

Result<> GrantLog(postgres::Connection& connection, const std::string& reader,
                  const std::string& writer, const std::string& configured) {
  for (const std::string& role : {reader, writer}) {
    if (!TRY(IsThere(connection, "SELECT count(*) > 0 FROM pg_roles WHERE rolname = $1", {role}))) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("there is no role \"{}\"; run: CREATE ROLE {} LOGIN PASSWORD '…'",
                              role, TRY(connection.QuoteIdentifier(role))));
    }
  }
  const std::string schema = TRY(LogSchema(connection, configured));
  for (const std::string_view view : kViews) TRY(RequireView(connection, schema, view));
  const std::string read_role = TRY(connection.QuoteIdentifier(reader));
  const std::string write_role = TRY(connection.QuoteIdentifier(writer));
  std::string grants = fmt::format(
      "GRANT USAGE ON SCHEMA {0} TO {1}, {2}; "
      "GRANT SELECT ON {0}.open_data_migrations TO {1}, {2}; ",
      schema, read_role, write_role);
  const auto let_read = [&](std::string_view relation) {
    grants += fmt::format("GRANT SELECT ON {}.{} TO {}; ", schema, relation, read_role);
  };
  std::ranges::for_each(ReaderTables(), let_read);
  std::ranges::for_each(kViews, let_read);
  grants += TRY(WriterGrants(connection, schema, write_role));
  return connection.ExecuteScript(grants);
}

}  // namespace spillway::recipe::open_data
