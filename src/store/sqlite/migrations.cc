#include "store/sqlite/migrations.h"

#include <functional>
#include <string>

#include <fmt/format.h>

namespace spillway::store {
namespace {

/// "Splw": marks the file as ours (`PRAGMA application_id`).
constexpr int64_t kApplicationId = 0x53706c77;

Result<int64_t> ReadNumber(Connection& connection, std::string_view sql) {
  Query query(connection, sql);
  TRY(query.Next());
  return query.Integer();
}

/// The schema's version, unless it is newer than those that this program knows.
Result<size_t> KnownVersion(Connection& connection, std::string_view path) {
  const int64_t version = TRY(ReadNumber(connection, "PRAGMA user_version"));
  const auto newest = static_cast<int64_t>(Migrations().size());
  if (version > newest) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format(
            "{} has schema {}; this spillway knows up to {}: upgrade spillway or point state: at "
            "another file",
            path, version, newest));
  }
  return static_cast<size_t>(version);
}

/// The schema's version. Refuses databases of other programs and newer schemas.
Result<size_t> Version(Connection& connection, std::string_view path) {
  const int64_t version = TRY(ReadNumber(connection, "PRAGMA user_version"));
  const int64_t application = TRY(ReadNumber(connection, "PRAGMA application_id"));
  const int64_t tables = TRY(ReadNumber(connection, "SELECT count(*) FROM sqlite_schema"));
  if (application != kApplicationId && (application != 0 || version != 0 || tables != 0)) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("{}: is another program's database; point state: at another file", path));
  }
  return KnownVersion(connection, path);
}

/// Does `act` in one transaction, so that all it reads is of one moment.
Result<> Transact(Connection& connection, const char* begin, const std::function<Result<>()>& act) {
  TRY(connection.Execute(begin));
  Result<> done = act();
  if (done) done = connection.Execute("COMMIT");
  if (!done && connection.InTransaction()) TRY(connection.Execute("ROLLBACK"));
  return done;
}

/// Applies the next migration, unless another process was faster.
Result<> Apply(Connection& connection, std::string_view path) {
  const size_t version = TRY(Version(connection, path));
  if (version == Migrations().size()) return {};
  TRY(connection.Execute(std::string(Migrations()[version])));
  return connection.Execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                        kApplicationId, version + 1));
}

}  // namespace

Result<> RefuseNewer(Connection& connection, std::string_view path) {
  TRY(KnownVersion(connection, path));
  return {};
}

Result<> Migrate(Connection& connection, std::string_view path) {
  while (true) {
    size_t version = 0;
    TRY(Transact(connection, "BEGIN", [&]() -> Result<> {
      version = TRY(Version(connection, path));
      return {};
    }));
    if (version == Migrations().size()) return {};
    TRY(Transact(connection, "BEGIN IMMEDIATE", [&] { return Apply(connection, path); }));
  }
}

}  // namespace spillway::store
