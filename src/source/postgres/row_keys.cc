#include "source/postgres/row_keys.h"

#include <algorithm>

#include <arrow/api.h>
#include <fmt/format.h>

#include "base/nearest_name.h"

namespace spillway::postgres_source {
namespace {

using postgres::Rows;

// pg_type.dat.
constexpr uint32_t kInt8 = 20, kInt2 = 21, kInt4 = 23;

constexpr const char* kKey =
    "WITH keys AS ("
    " SELECT i.indrelid, i.indisprimary, i.indexrelid, i.indnkeyatts,"
    "  (i.indkey::int2[])[0:i.indnkeyatts - 1] AS columns"
    " FROM pg_index AS i WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid"
    "  AND i.indpred IS NULL AND i.indexprs IS NULL),"
    " best AS (SELECT * FROM keys WHERE NOT EXISTS ("
    "  SELECT FROM pg_attribute AS a WHERE a.attrelid = indrelid AND a.attnum = ANY(columns)"
    "   AND NOT (a.attnotnull AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')))"
    "  ORDER BY indisprimary DESC, indnkeyatts, indexrelid LIMIT 1)"
    " SELECT a.attname FROM best, unnest(best.columns) WITH ORDINALITY AS u(number, position)"
    " JOIN pg_attribute AS a ON a.attnum = u.number WHERE a.attrelid = best.indrelid"
    " ORDER BY position";

}  // namespace

Result<std::vector<std::string>> KeyOf(QueryReader& reader, uint32_t table, std::stop_token stop) {
  const Rows rows = TRY(reader.Execute(kKey, {table}, std::move(stop)));
  std::vector<std::string> key;
  for (int row = 0; row < rows.size(); ++row) key.emplace_back(rows.Text(row, 0));
  return key;
}

Result<std::string> KeyHash(QueryReader& reader, const Selection& selection,
                            std::span<const std::string> key, std::stop_token stop) {
  std::string list;
  std::vector<std::string> names;
  for (const std::string& column : key) {
    if (std::ranges::count(selection.keys, column) != 1) {
      const auto nearest = NearestName(column, selection.keys);
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("key: there is no one column \"{}\"{}", column,
                              nearest ? "; did you mean \"" + *nearest + "\"?" : ""));
    }
    const std::string quoted = TRY(reader.connection().QuoteIdentifier(column));
    list += (names.empty() ? "" : ", ") + quoted;
    names.push_back(quoted);
  }
  const std::vector<Column> columns =
      TRY(reader.Describe(fmt::format("SELECT {} FROM {}", list, selection.from), std::move(stop)));
  std::string hash = "0";
  for (size_t i = 0; i < columns.size(); ++i) {
    const uint32_t type = columns[i].type;
    const bool integer = type == kInt2 || type == kInt4 || type == kInt8;
    hash = fmt::format(
        fmt::runtime(integer
                         ? "coalesce(hashint8extended({0}::int8, {1}), hashint8extended(0, {1}))"
                         : "coalesce(hashtextextended({0}::text COLLATE \"C\", {1}),"
                           " hashint8extended(0, {1}))"),
        names[i], hash);
  }
  return hash;
}

Column KeyHashColumn() { return ColumnOf("key", kInt8, -1, "bigint", /*is_enum=*/false); }

Result<> KeySum::Add(const arrow::Array& hashes) {
  if (hashes.type_id() != arrow::Type::INT64 || hashes.null_count() != 0)
    return Fail(ErrorCode::kCorrupt, "the server's hashes of keys are no integers");
  const auto& values = static_cast<const arrow::Int64Array&>(hashes);
  for (int64_t row = 0; row < values.length(); ++row) sum_ += values.Value(row);
  return {};
}

std::string KeySum::ToString() const { return fmt::format("{}", sum_); }

}  // namespace spillway::postgres_source
