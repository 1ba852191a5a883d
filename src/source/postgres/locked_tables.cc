#include "source/postgres/locked_tables.h"

#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace spillway::postgres_source {
namespace {

constexpr int kTransactionStatus = 100'000;  ///< The first version that has txid_status().

constexpr const char* kLocked =
    "WITH locked AS (SELECT DISTINCT relation AS oid FROM pg_locks WHERE pid = pg_backend_pid()"
    "  AND locktype = 'relation'"
    "  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

/// pg_class and pg_namespace are read as the snapshot has them, pg_relation_filenode and
/// pg_identify_object as they are now. A table that the snapshot does not know is younger than it;
/// an index may be. Catalogs that are mapped have no file node there.
constexpr const char* kChanged =
    ", known AS (SELECT l.oid, c.oid IS NOT NULL AS seen, c.relname, c.relkind, c.relfilenode::oid,"
    "  CASE WHEN c.oid IS NOT NULL THEN format('%I.%I', n.nspname, c.relname) END AS was,"
    "  c.relkind IN ('r', 'p', 'm', 'v', 'f', 'S') AND c.relpersistence <> 't' AS named"
    "  FROM locked AS l LEFT JOIN pg_class AS c USING (oid)"
    "  LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace)"
    " SELECT format('\"%s\" was truncated, rewritten or replaced after the export''s snapshot was"
    " taken, which does not see its rows', oid::regclass)"
    "  FROM known WHERE NOT seen AND pg_get_indexdef(oid) IS NULL"
    "  OR relkind IN ('r', 'm') AND relfilenode <> 0"
    "  AND pg_relation_filenode(oid) IS DISTINCT FROM relfilenode"
    " UNION ALL SELECT format('\"%s\" was \"%s\" when the export''s snapshot was taken, so that its"
    " name may mean another table now', identity, was)"
    "  FROM known, pg_identify_object('pg_class'::regclass, oid, 0)"
    "  WHERE named AND identity <> was"
    " UNION ALL SELECT format('\"%s\" is another table than the one that the export was planned"
    " with, whose name it has now', was)"
    "  FROM known WHERE named AND oid <> ALL($1::oid[])"
    "  AND relname IN (SELECT relname FROM pg_class WHERE oid = ANY($1::oid[]))";

/// A label in the snapshot that a transaction after it has replaced. Its xmax has 32 bits of the
/// number by which txid_status() knows that transaction, the nearest such number.
constexpr const char* kRenamedLabel =
    " UNION ALL SELECT format('a label of the enum %s was renamed after the export''s snapshot was"
    " taken, and some rows may have the old name and some the new', format_type(enumtypid, NULL))"
    " FROM"
    " (SELECT txid_snapshot_xmax(txid_current_snapshot()) AS next) AS s, pg_enum AS e,"
    " LATERAL (SELECT e.xmax::text::int8 AS xmax) AS x"
    " WHERE CASE WHEN x.xmax <> 0 THEN txid_status(next"
    "  + (x.xmax - next % 4294967296 + 6442450944) % 4294967296 - 2147483648) = 'committed' END"
    // Types that were dropped do not matter.
    " AND format_type(enumtypid, NULL) !~ '^[?]+$'";

/// What changed; empty: nothing.
Result<std::string> FindChange(QueryReader& reader, const std::vector<int64_t>& tables,
                               std::stop_token stop) {
  std::string sql = std::string(kLocked) + kChanged;
  if (reader.connection().server_version() >= kTransactionStatus) sql += kRenamedLabel;
  const postgres::Rows changed =
      TRY(reader.Execute(sql + " LIMIT 1", {std::span<const int64_t>(tables)}, std::move(stop)));
  return changed.empty() ? std::string() : std::string(changed.Text(0, 0));
}

}  // namespace

Result<> CheckNoneRewritten(QueryReader& reader, std::stop_token stop) {
  const std::string change = TRY(FindChange(reader, {}, std::move(stop)));
  if (change.empty()) return {};
  return FailTransient(ErrorCode::kConflict,
                       fmt::format("{}: {}; try again", reader.connection().server(), change));
}

Result<std::vector<int64_t>> LockedNamesakes(QueryReader& reader,
                                             const std::vector<int64_t>& tables,
                                             std::stop_token stop) {
  const postgres::Rows rows = TRY(reader.Execute(
      std::string(kLocked) + " SELECT oid::int8 FROM locked JOIN pg_class USING (oid) WHERE relname"
                             " IN (SELECT relname FROM pg_class WHERE oid = ANY($1::oid[]))"
                             " AND relkind IN ('r', 'p', 'm', 'v', 'f', 'S') ORDER BY 1",
      {std::span<const int64_t>(tables)}, std::move(stop)));
  std::vector<int64_t> namesakes;
  for (int row = 0; row < rows.size(); ++row) namesakes.push_back(rows.Integer(row, 0));
  return namesakes;
}

Result<> CheckReadAsPlanned(QueryReader& reader, const std::vector<int64_t>& tables,
                            std::stop_token stop) {
  const std::string change = TRY(FindChange(reader, tables, std::move(stop)));
  if (change.empty()) return {};
  return Fail(ErrorCode::kConflict,
              fmt::format("{}: {}; run the export again", reader.connection().server(), change));
}

}  // namespace spillway::postgres_source
