#include "store/postgres/migrations.h"

#include <fmt/format.h>

#include "postgres/transaction.h"

namespace spillway::store::postgres_state {
namespace {

using postgres::Connection;

/// "Splw": the advisory lock that migrations take.
constexpr int64_t kMigrationLock = 0x53706c77;

/// What is there of the schema, from one snapshot: another process may be migrating.
struct Presence {
  bool schema = false;
  bool version = false;
  bool jobs = false;
};

Result<Presence> Look(Connection& connection) {
  // The catalogue's tables, not to_regclass: that may answer from before a lock was waited for.
  const auto rows = TRY(connection.Execute(
      "SELECT count(*) > 0, coalesce(bool_or(relname = 'schema_version'), false), "
      "coalesce(bool_or(relname = 'jobs'), false) FROM pg_catalog.pg_namespace n "
      "LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid WHERE nspname = 'spillway'"));
  return Presence{
      .schema = rows.Boolean(0, 0), .version = rows.Boolean(0, 1), .jobs = rows.Boolean(0, 2)};
}

Result<> Apply(Connection& connection, size_t version) {
  if (version == 0) {
    // A role that may not create schemas may have been given this one.
    if (!TRY(Look(connection)).schema) TRY(connection.Execute("CREATE SCHEMA spillway"));
    TRY(connection.Execute("CREATE TABLE spillway.schema_version (version bigint NOT NULL)"));
    TRY(connection.Execute("INSERT INTO spillway.schema_version VALUES (0)"));
  }
  for (const std::string_view migration : Migrations().subspan(version))
    TRY(connection.ExecuteScript(std::string(migration)));
  TRY(connection.Execute("UPDATE spillway.schema_version SET version = $1::bigint",
                         {Migrations().size()}));
  return {};
}

}  // namespace

Result<size_t> SchemaVersion(Connection& connection) {
  const Presence presence = TRY(Look(connection));
  if (!presence.version) {
    if (presence.jobs) {
      return Fail(ErrorCode::kUnsupported,
                  connection.server() +
                      ": the schema spillway is another program's; point state: at another "
                      "database");
    }
    return 0;
  }
  const auto rows = TRY(connection.Execute("SELECT version FROM spillway.schema_version"));
  if (rows.size() != 1) {
    return Fail(ErrorCode::kCorrupt, connection.server() + ": spillway.schema_version has " +
                                         std::to_string(rows.size()) +
                                         " rows in place of one; restore the database");
  }
  const int64_t version = rows.Integer(0, 0);
  const auto newest = static_cast<int64_t>(Migrations().size());
  if (version > newest) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} has schema {}; this spillway knows up to {}: upgrade spillway or "
                            "point state: at another database",
                            connection.server(), version, newest));
  }
  return static_cast<size_t>(version);
}

Result<> Migrate(Connection& connection) {
  if (TRY(SchemaVersion(connection)) == Migrations().size()) return {};
  auto transaction = TRY(postgres::Transaction::Begin(connection, postgres::kReadCommitted,
                                                      "SET LOCAL search_path = spillway, pg_temp"));
  TRY(connection.Execute("SELECT pg_advisory_xact_lock($1::bigint)", {kMigrationLock}));
  const size_t version = TRY(SchemaVersion(connection));  // another may have been faster
  if (version < Migrations().size()) TRY(Apply(connection, version));
  return transaction.Commit();
}

}  // namespace spillway::store::postgres_state
