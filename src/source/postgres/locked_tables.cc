#include "source/postgres/locked_tables.h"

#include <fmt/format.h>

namespace spillway::postgres_source {
namespace {

/// pg_class is read as the snapshot has it, pg_relation_filenode as it is now. A table that the
/// snapshot does not know is younger than it. Catalogs that are mapped have no file node there.
constexpr const char* kRewritten =
    "SELECT coalesce(c.oid::regclass::text, l.relation::regclass::text)"
    " FROM pg_locks AS l LEFT JOIN pg_class AS c ON c.oid = l.relation"
    " WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (c.oid IS NULL OR c.relkind IN ('r', 'm') AND c.relfilenode <> 0"
    " AND pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode::oid)"
    " ORDER BY 1 LIMIT 1";

}  // namespace

Result<> CheckNoneRewritten(QueryReader& reader, std::stop_token stop) {
  const postgres::Rows rewritten = TRY(reader.Execute(kRewritten, {}, std::move(stop)));
  if (rewritten.empty()) return {};
  return FailTransient(
      ErrorCode::kConflict,
      fmt::format("{}: \"{}\" was truncated, rewritten or replaced while the export's snapshot "
                  "was taken, which does not see its rows; try again",
                  reader.connection().server(), rewritten.Text(0, 0)));
}

}  // namespace spillway::postgres_source
