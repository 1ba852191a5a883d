#include "source/postgres/dependences.h"

#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "source/postgres/dependence_search.h"
#include "source/postgres/job_instant.h"
#include "source/postgres/node_tree.h"

namespace spillway::postgres_source {
namespace {

using postgres::Rows;

constexpr int64_t kFirstOfUsers = 16'384;  ///< OIDs from here on are what users made.

/// The functions whose result may differ between two runs, and whether it may differ between two
/// sessions even if it does not within one: functions that may call now() inside, read 'now', or
/// depend on the session. Also whether policies may choose rows inside them, and whether they do so
/// even where row_security is off.
constexpr const char* kFunctions =
    "WITH called AS ("
    " SELECT unnest($1::oid[]) AS oid"
    " UNION SELECT oprcode FROM pg_operator WHERE oid = ANY($2::oid[])"
    " UNION SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggmtransfn, aggminvtransfn, aggmfinalfn])"
    "  FROM pg_aggregate WHERE aggfnoid = ANY($1::oid[]))"
    " SELECT CASE WHEN provolatile = 'v' THEN 'the volatile function '"
    "   WHEN NOT builtin THEN 'a function that is not IMMUTABLE, '"
    "   WHEN proparallel <> 's' THEN 'a function of the session, '"
    "   WHEN present THEN 'a function of settings, rights or names as they are now, '"
    "   ELSE 'a function that may read a text as the present time, ' END || p.oid::regprocedure,"
    "  is_opaque OR provolatile = 's', p.oid::regprocedure,"
    "  is_opaque AND EXISTS (SELECT FROM pg_class WHERE relrowsecurity),"
    "  EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE CASE"
    "   WHEN setting LIKE 'row_security=%' THEN split_part(setting, '=', 2)::bool END)"
    " FROM called JOIN pg_proc AS p USING (oid), LATERAL (SELECT pronamespace ="
    "  'pg_catalog'::regnamespace AND p.oid < 16384 AS builtin) AS b, LATERAL (SELECT"
    // The server's own that run a text as a query.
    "  NOT builtin OR proname ~ '^(query|cursor|table|schema|database)_to_xml'"
    "  OR proname IN ('ts_stat', 'ts_rewrite') AS is_opaque) AS q, LATERAL (SELECT"
    // Settings are the session's, and these see the catalogs as they are now, not as the snapshot
    // has them.
    "  builtin AND proname ~ '^(current_setting|pg_show_all_settings|row_security_active"
    "|pg_timezone_abbrevs|mxid_age|has_.*_privilege|pg_has_role|pg_.*_is_visible|pg_get_.*"
    "|format_type|to_reg.*|enum_(first|last|range))$' AS present) AS r"
    // Of the server's own stable functions, those that a parallel worker may call know no session.
    " WHERE provolatile = 'v' OR (provolatile = 's' AND (NOT builtin OR proparallel <> 's'"
    "  OR present"
    "  OR 'cstring'::regtype = ANY(proargtypes::oid[])"
    "  OR proname ~ '^jsonb?_(populate_record|populate_recordset|to_record|to_recordset)$'))"
    " ORDER BY provolatile = 'v' DESC, 1";

/// The first aggregate whose value may depend on the order of rows. Sums of integers and numerics
/// are exact; of equal numerics, as 1.0 and 1.00, min and max hand out the first.
constexpr const char* kAggregates =
    "SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.oid = ANY($1::oid[])"
    " AND NOT (p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384"
    "  AND (p.proname IN ('count', 'bool_and', 'bool_or', 'every', 'bit_and', 'bit_or', 'bit_xor')"
    "   OR p.proname IN ('sum', 'avg', 'variance', 'var_pop', 'var_samp', 'stddev', 'stddev_pop',"
    "     'stddev_samp') AND p.proargtypes[0] IN ('int2'::regtype, 'int4'::regtype,"
    "     'int8'::regtype, 'numeric'::regtype, 'money'::regtype)"
    "   OR p.proname IN ('min', 'max') AND p.proargtypes[0] IN ('int2'::regtype, 'int4'::regtype,"
    "     'int8'::regtype, 'oid'::regtype, 'date'::regtype, 'time'::regtype, 'timestamp'::regtype,"
    "     'timestamptz'::regtype, 'text'::regtype, 'money'::regtype, 'anyenum'::regtype)))"
    " ORDER BY 1 LIMIT 1";

/// The first type by which rows become one although their values may look different.
constexpr const char* kEqualities =
    "SELECT o.oprleft::regtype FROM pg_operator AS o WHERE o.oid = ANY($1::oid[])"
    " AND o.oprleft NOT IN ('bool'::regtype, 'bytea'::regtype, '\"char\"'::regtype,"
    "  'name'::regtype, 'int8'::regtype, 'int2'::regtype, 'int4'::regtype, 'text'::regtype,"
    "  'oid'::regtype, 'date'::regtype, 'time'::regtype, 'timestamp'::regtype,"
    "  'timestamptz'::regtype, 'uuid'::regtype, 'anyenum'::regtype, 'macaddr'::regtype,"
    "  'macaddr8'::regtype, 'pg_lsn'::regtype)"
    " ORDER BY 1 LIMIT 1";

/// The first type whose input may take a text, as 'now' or '{today}', for the present time.
constexpr const char* kInputs =
    "SELECT t.oid::regtype FROM pg_type AS t JOIN pg_proc AS p ON p.oid = t.typinput"
    " WHERE t.oid = ANY($1::oid[]) AND p.provolatile <> 'i' AND (p.oid >= 16384 OR p.proname IN"
    "  ('date_in', 'time_in', 'timetz_in', 'timestamp_in', 'timestamptz_in', 'array_in',"
    "   'record_in', 'range_in', 'multirange_in', 'domain_in'))"
    " ORDER BY 1 LIMIT 1";

/// The first type that is a time or made of times; multiranges are of PostgreSQL 14 and later.
constexpr const char* kTimes =
    "WITH RECURSIVE made(whole, part) AS (SELECT u, u FROM unnest($1::oid[]) AS u UNION"
    " SELECT whole, next FROM made, LATERAL ("
    "  SELECT unnest(ARRAY[typelem, typbasetype]) FROM pg_type WHERE oid = part"
    "  UNION ALL SELECT rngsubtype FROM pg_range AS r"
    "   WHERE part::text IN (rngtypid::text, to_jsonb(r) ->> 'rngmultitypid')"
    "  UNION ALL SELECT atttypid FROM pg_attribute JOIN pg_type AS t ON attrelid = typrelid"
    "   WHERE t.oid = part AND typrelid <> 0 AND attnum > 0) AS n(next) WHERE next <> 0)"
    " SELECT whole::regtype FROM made JOIN pg_type AS t ON t.oid = part"
    " JOIN pg_proc AS p ON p.oid = t.typinput WHERE CASE WHEN p.oid >= 16384"
    "  THEN p.provolatile <> 'i' ELSE p.proname IN"
    "  ('date_in', 'time_in', 'timetz_in', 'timestamp_in', 'timestamptz_in') END"
    " ORDER BY 1 LIMIT 1";

constexpr const char* kCollations =
    "SELECT c.oid::regcollation FROM pg_collation AS c WHERE c.oid = ANY($1::oid[])"
    " AND NOT c.collisdeterministic ORDER BY 1 LIMIT 1";

/// The first relation that no snapshot covers, among those that are read, their partitions and the
/// tables that inherit from them: a sequence, which is one row that changes in place, or a foreign
/// table.
constexpr const char* kOutside =
    "WITH RECURSIVE tables(oid) AS (SELECT unnest($1::oid[]) UNION"
    " SELECT inhrelid FROM pg_inherits JOIN tables ON inhparent = oid)"
    " SELECT format(CASE c.relkind WHEN 'S' THEN 'no snapshot holds the sequence %s'"
    "  ELSE 'every session reads the foreign table %s for itself' END, c.oid::regclass)"
    " FROM tables JOIN pg_class AS c USING (oid) WHERE c.relkind IN ('f', 'S')"
    " ORDER BY 1 LIMIT 1";

constexpr const char* kNames =
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c"
    " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ANY($1::oid[]) ORDER BY 1";

constexpr const char* kDefaults =
    "SELECT p.oid::int8, pronargs::int8, proargdefaults::text FROM pg_proc AS p"
    " WHERE p.oid = ANY($1::oid[]) AND proargdefaults IS NOT NULL";

std::vector<int64_t> ArrayOf(const std::set<int64_t>& numbers) {
  return {numbers.begin(), numbers.end()};
}

/// The defaults of arguments that are not given, which the server adds after it has rewritten.
Result<> AddDefaults(QueryReader& reader, DependenceSearch& search, const std::stop_token& stop) {
  std::set<int64_t> asked;
  while (asked != search.found().functions) {
    asked = search.found().functions;
    const std::vector<int64_t> functions = ArrayOf(asked);
    const Rows rows = TRY(reader.Execute(kDefaults, {std::span<const int64_t>(functions)}, stop));
    for (int row = 0; row < rows.size(); ++row) {
      const auto given = search.found().arguments.find(rows.Integer(row, 0));
      if (given == search.found().arguments.end() || given->second >= rows.Integer(row, 1))
        continue;
      const Node defaults = TRY(ParseNodeTree(rows.Text(row, 2)));
      search.Add(defaults, /*by_last_column=*/false);
    }
  }
  return {};
}

void AddNamed(const Node& written, std::set<int64_t>& tables) {
  if (const int64_t table = written.Number("relid");
      written.label == "RANGETBLENTRY" && table >= kFirstOfUsers)
    tables.insert(table);
  for (const Node& item : written.items) AddNamed(item, tables);
  for (const NodeField& field : written.fields) AddNamed(field.value, tables);
}

/// The answer for a server that does not say how it reads a query.
Result<Dependences> Unknown(QueryReader& reader) {
  const std::string reason = reader.connection().server() +
                             " does not say how it reads a query, as PostgreSQL does with "
                             "debug_print_parse and debug_print_rewritten";
  const Rows allowed = TRY(reader.Execute("SELECT current_setting('row_security')::bool"));
  if (allowed.Boolean(0, 0)) {
    return Fail(ErrorCode::kUnsupported,
                reason +
                    ", so that no manifest could name the tables of which policies choose the "
                    "rows; set row_security: refuse");
  }
  return Dependences{.scan = reason, .session = reason, .tables = {}, .policies = {}};
}

}  // namespace

Result<Dependences> FindDependences(QueryReader& reader, const std::string& select,
                                    bool by_last_column, std::stop_token stop) {
  const std::optional<ParseTrees> trees = TRY(reader.Parse(select, stop));
  if (!trees.has_value()) return Unknown(reader);
  DependenceSearch search;
  for (const Node& query : trees->rewritten.items) search.Add(query, by_last_column);
  TRY(AddDefaults(reader, search, stop));
  const DependenceSearch::Found& found = search.found();
  const auto first = [&](const char* sql, const std::set<int64_t>& numbers) -> Result<std::string> {
    if (numbers.empty()) return std::string();
    const std::vector<int64_t> oids = ArrayOf(numbers);
    const Rows rows = TRY(reader.Execute(sql, {std::span<const int64_t>(oids)}, stop));
    return rows.empty() ? std::string() : std::string(rows.Text(0, 0));
  };
  if (found.statement_time) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "statement_timestamp() in a view, a default, a policy or an expression that the query "
        "repeats is another at every statement, so that what is counted is not what is read; use "
        "now() there");
  }
  Dependences dependences{
      .scan = found.scan, .session = found.session, .tables = {}, .policies = {}};
  std::set<int64_t> named;
  AddNamed(trees->written, named);
  dependences.tables = ArrayOf(named);
  if (std::string outside = TRY(first(kOutside, found.tables)); !outside.empty())
    dependences.session = std::move(outside);
  const std::set<int64_t> unclear =
      TRY(TypesThatMayNameATime(reader, select, trees->written, stop));
  if (const std::string type = TRY(first(kTimes, unclear)); !type.empty())
    dependences.session = fmt::format(
        "it reads a text as {}, and whether as the present time is not seen here; write it as '…' "
        "without escapes, on one line",
        type);
  if (!found.guarded.empty()) {
    const std::vector<int64_t> oids = ArrayOf(found.guarded);
    const Rows names = TRY(reader.Execute(kNames, {std::span<const int64_t>(oids)}, stop));
    for (int row = 0; row < names.size(); ++row)
      dependences.policies.emplace_back(names.Text(row, 0));
  }
  const auto scan = [&](std::string_view before, const std::string& name, std::string_view after) {
    if (dependences.scan.empty() && !name.empty())
      dependences.scan = fmt::format("{}{}{}", before, name, after);
  };
  if (dependences.scan.empty()) dependences.scan = dependences.session;
  const std::vector<int64_t> functions = ArrayOf(found.functions);
  const std::vector<int64_t> operators = ArrayOf(found.operators);
  const Rows called = TRY(reader.Execute(
      kFunctions, {std::span<const int64_t>(functions), std::span<const int64_t>(operators)},
      stop));
  for (int row = 0; row < called.size(); ++row) {
    const std::string name(called.Text(row, 0));
    scan("it calls ", name, "");
    if (dependences.session.empty() && called.Boolean(row, 1))
      dependences.session =
          fmt::format("it calls {}, in which the present time or the session may count", name);
    if (called.Boolean(row, 3)) dependences.opaque_functions.emplace_back(called.Text(row, 2));
    if (called.Boolean(row, 4)) dependences.switches_policies_on = called.Text(row, 2);
  }
  const std::string time = TRY(first(kTimes, found.inputs));
  if (dependences.session.empty() && !time.empty())
    dependences.session = fmt::format("it reads texts as {}, and one may be 'now'", time);
  scan("the order of rows may change what is aggregated by ",
       TRY(first(kAggregates, found.aggregates)), "");
  scan("it groups by values of type ", TRY(first(kEqualities, found.equalities)),
       ", of which equal ones may look different");
  scan("it reads texts as ", TRY(first(kInputs, found.inputs)),
       ", and 'now' would be another time in every part (to_date() and to_timestamp() know no "
       "'now')");
  if (!found.equalities.empty() || !found.aggregates.empty()) {
    scan("it compares by the collation ", TRY(first(kCollations, found.collations)),
         ", by which different texts are equal");
  }
  return dependences;
}

}  // namespace spillway::postgres_source
