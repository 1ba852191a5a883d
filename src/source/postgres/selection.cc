#include "source/postgres/selection.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/nearest_name.h"
#include "source/postgres/job_instant.h"
#include "source/postgres/named_query.h"

namespace spillway::postgres_source {
namespace {

using postgres::Rows;

std::string DidYouMean(std::string_view name, std::span<const std::string> known) {
  const std::optional<std::string> nearest = NearestName(name, known);
  return nearest.has_value() ? "; did you mean \"" + *nearest + "\"?" : "";
}

Result<> CheckNames(const Wanted& wanted, const std::vector<std::string>& names) {
  for (const auto& [name, value] : wanted.parameters) {
    if (std::ranges::find(names, name) != names.end()) continue;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the query has no parameter :{}{}", name, DidYouMean(name, names)));
  }
  for (const std::string& name : names) {
    const bool given = std::ranges::any_of(wanted.parameters,
                                           [&](const auto& given) { return given.first == name; });
    if (given) continue;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the query's parameter :{} has no value; give it one", name));
  }
  return {};
}

/// The query, which is one statement by itself, with literals of the types that the server infers
/// for its parameters.
Result<std::string> Bind(QueryReader& reader, const Wanted& wanted, std::stop_token stop) {
  const NamedQuery query = TRY(NamedQuery::Parse(wanted.query));
  TRY(CheckNames(wanted, query.names()));
  TRY(reader.Execute("PREPARE spillway_query AS " + query.WithPlaceholders(), {}, stop));
  // Without a length: of type "character", a value would be cut to one character.
  const Rows types =
      TRY(reader.Execute("SELECT format_type(type, -1) FROM pg_prepared_statements,"
                         " unnest(parameter_types) WITH ORDINALITY AS u(type, position)"
                         " WHERE name = 'spillway_query' ORDER BY position",
                         {}, stop));
  TRY(reader.Execute("DEALLOCATE spillway_query", {}, stop));
  if (types.size() != static_cast<int>(query.names().size())) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "the query's parameters are not read as the server reads them; write each as :name");
  }
  std::vector<std::string> literals;
  for (int i = 0; const std::string& name : query.names()) {
    const auto given =
        std::ranges::find(wanted.parameters, name, [](const auto& p) { return p.first; });
    if (given->second.has_value() && given->second->find('\0') != std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("parameter :{} holds a NUL character", name));
    }
    const std::string value =
        given->second.has_value() ? TRY(reader.connection().QuoteLiteral(*given->second)) : "NULL";
    literals.push_back(fmt::format("CAST({} AS {})", value, types.Text(i++, 0)));
  }
  return query.With(literals);
}

/// The quoted name of a table, and its OID.
Result<std::pair<std::string, uint32_t>> Find(QueryReader& reader, const std::string& table,
                                              std::stop_token stop) {
  const Rows found = TRY(
      reader.Execute("SELECT c.oid::int8, format('%I.%I', n.nspname, c.relname) FROM pg_class AS c"
                     " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
                     " WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p', 'm', 'v', 'f')",
                     {table}, stop));
  if (found.empty()) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{}: there is no table \"{}\"; name it as schema.table, with double "
                            "quotes around names that have capitals",
                            reader.connection().server(), table));
  }
  return std::pair(std::string(found.Text(0, 1)), static_cast<uint32_t>(found.Integer(0, 0)));
}

/// A table's columns, whose names nobody needs a right for.
struct TableColumns {
  std::vector<std::string> names;
  std::vector<std::string> granted;  ///< Those that the role may read.
};

Result<TableColumns> ColumnsOf(QueryReader& reader, uint32_t table, std::stop_token stop) {
  const Rows rows =
      TRY(reader.Execute("SELECT attname, has_column_privilege(attrelid, attnum, 'SELECT')"
                         " FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0"
                         " AND NOT attisdropped ORDER BY attnum",
                         {table}, std::move(stop)));
  TableColumns columns;
  for (int row = 0; row < rows.size(); ++row) {
    columns.names.emplace_back(rows.Text(row, 0));
    if (rows.Boolean(row, 1)) columns.granted.emplace_back(rows.Text(row, 0));
  }
  return columns;
}

/// The server names the table only. Where the role may read nothing of it, that is right.
Result<> CheckGrants(const QueryReader& reader, const std::string& table,
                     const TableColumns& columns, const Wanted& wanted) {
  if (columns.granted.empty() || columns.granted.size() == columns.names.size()) return {};
  const std::string user = reader.connection().user();
  if (wanted.columns.empty()) {
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("{0} may read some columns of {1} only; name them, columns: [{2}], or "
                            "run GRANT SELECT ON {1} TO {0}",
                            user, table, fmt::join(columns.granted, ", ")));
  }
  for (const auto& [source, name] : wanted.columns) {
    const auto among = [&](const std::vector<std::string>& names) {
      return std::ranges::find(names, source) != names.end();
    };
    if (!among(columns.names) || among(columns.granted)) continue;
    const std::string quoted = TRY(reader.connection().QuoteIdentifier(source));
    return Fail(
        ErrorCode::kPermissionDenied,
        fmt::format("{0} may not read column {2} of {1}; run GRANT SELECT ({2}) ON {1} TO {0}",
                    user, table, quoted));
  }
  return {};
}

/// The quoted columns that are wanted.
Result<std::string> ListOf(const QueryReader& reader, const std::vector<std::string>& known,
                           const Wanted& wanted) {
  std::string list;
  for (const auto& [source, name] : wanted.columns) {
    if (std::ranges::find(known, source) == known.end()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("there is no column \"{}\"{}", source, DidYouMean(source, known)));
    }
    const std::string quoted = TRY(reader.connection().QuoteIdentifier(source));
    list += (list.empty() ? "" : ", ") + quoted;
  }
  return list;
}

}  // namespace

std::string Selection::Select(std::string_view condition) const {
  if (condition.empty()) return fmt::format("SELECT {} FROM {}", list, from);
  return fmt::format("SELECT {} FROM {} WHERE {}", list, from, condition);
}

Result<> CheckParameters(const Wanted& wanted) {
  return CheckNames(wanted, TRY(NamedQuery::Parse(wanted.query)).names());
}

Result<Selection> Resolve(QueryReader& reader, const Wanted& wanted, std::stop_token stop) {
  Selection selection;
  if (!wanted.table.empty()) {
    const auto [name, oid] = TRY(Find(reader, wanted.table, stop));
    selection.from = name;
    selection.table = oid;
    TableColumns columns = TRY(ColumnsOf(reader, oid, stop));
    TRY(CheckGrants(reader, name, columns, wanted));
    selection.keys = std::move(columns.names);
  } else {
    const std::string query = TRY(Bind(reader, wanted, stop));
    const std::string pinned = TRY(WithInstant(reader, query, stop));
    selection.from = fmt::format("(\n{}\n) AS q", pinned);
    selection.columns = TRY(reader.Describe("SELECT * FROM " + selection.from, stop));
    for (const Column& column : selection.columns) selection.keys.push_back(column.name);
  }
  // All names may not be listed: they may come twice, or not be unique as columns of a subquery.
  selection.list = "*";
  if (!wanted.columns.empty()) selection.list = TRY(ListOf(reader, selection.keys, wanted));
  selection.columns = TRY(reader.Describe(selection.Select(), stop));
  for (size_t i = 0; i < wanted.columns.size(); ++i)
    selection.columns[i].name = wanted.columns[i].second;
  return selection;
}

}  // namespace spillway::postgres_source
