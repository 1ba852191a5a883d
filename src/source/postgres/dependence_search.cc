#include "source/postgres/dependence_search.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "source/postgres/time_functions.h"

namespace spillway::postgres_source {
namespace {

// Values of enumerations in parsenodes.h and primnodes.h.
constexpr int64_t kRelation = 0, kSubquery = 1, kTableFunction = 4, kNamedTuplestore = 7;
constexpr int64_t kArraySublink = 6;
constexpr int64_t kSublinkParameter = 2;
constexpr int64_t kInnerJoin = 0, kLeftJoin = 1, kRightJoin = 3;

// pg_proc.dat: count("any") and count(*), which do not show what they count.
constexpr std::array<int64_t, 2> kCounts = {2147, 2803};

// sysattr.h: columns that another transaction writes in place.
constexpr int64_t kCmax = -5, kCmin = -3;

// pg_type.dat: date, time, timestamp, timestamptz, timetz.
constexpr std::array<int64_t, 5> kTimeTypes = {1082, 1083, 1114, 1184, 1266};

/// Expressions that are as deterministic as what they are made of. Of some, PostgreSQL 15 and 16
/// have different labels.
constexpr auto kPlainNodes = std::to_array<std::string_view>({"AGGREF",
                                                              "ALIAS",
                                                              "ARRAY",
                                                              "ARRAYCOERCEEXPR",
                                                              "ARRAYEXPR",
                                                              "BOOLEANTEST",
                                                              "BOOLEXPR",
                                                              "CASE",
                                                              "CASEEXPR",
                                                              "CASETESTEXPR",
                                                              "COALESCE",
                                                              "COALESCEEXPR",
                                                              "COERCETODOMAIN",
                                                              "COERCETODOMAINVALUE",
                                                              "COERCEVIAIO",
                                                              "COLLATEEXPR",
                                                              "COMMONTABLEEXPR",
                                                              "CONST",
                                                              "CONVERTROWTYPEEXPR",
                                                              "CTECYCLECLAUSE",
                                                              "CTESEARCHCLAUSE",
                                                              "DISTINCTEXPR",
                                                              "FIELDSELECT",
                                                              "FROMEXPR",
                                                              "FUNCEXPR",
                                                              "GROUPINGFUNC",
                                                              "GROUPINGSET",
                                                              "JOINEXPR",
                                                              "MINMAX",
                                                              "MINMAXEXPR",
                                                              "NAMEDARGEXPR",
                                                              "NULLIFEXPR",
                                                              "NULLTEST",
                                                              "OPEXPR",
                                                              "PARAM",
                                                              "QUERY",
                                                              "RANGETBLENTRY",
                                                              "RANGETBLFUNCTION",
                                                              "RANGETBLREF",
                                                              "RELABELTYPE",
                                                              "ROW",
                                                              "ROWMARKCLAUSE",
                                                              "ROWCOMPARE",
                                                              "ROWCOMPAREEXPR",
                                                              "ROWEXPR",
                                                              "RTEPERMISSIONINFO",
                                                              "SCALARARRAYOPEXPR",
                                                              "SETOPERATIONSTMT",
                                                              "SORTGROUPCLAUSE",
                                                              "SQLVALUEFUNCTION",
                                                              "SUBLINK",
                                                              "SUBSCRIPTINGREF",
                                                              "TABLEFUNC",
                                                              "TABLESAMPLECLAUSE",
                                                              "TARGETENTRY",
                                                              "VAR",
                                                              "WHEN",
                                                              "CASEWHEN",
                                                              "WINDOWCLAUSE",
                                                              "XMLEXPR"});

/// Whether a sort or group clause has a column of the same query's list, by the order of one of
/// these operators.
bool Has(const Node& clause, const Node& entry, const std::set<int64_t>& operators) {
  const int64_t reference = entry.Number("ressortgroupref");
  return reference != 0 && std::ranges::any_of(clause.items, [&](const Node& by) {
           return by.Number("tleSortGroupRef") == reference &&
                  operators.contains(by.Number("sortop"));
         });
}

void CollectOperators(const Node& condition, std::set<int64_t>& operators) {
  if (condition.label == "OPEXPR") operators.insert(condition.Number("opno"));
  for (const Node& item : condition.items) CollectOperators(item, operators);
  for (const NodeField& field : condition.fields) CollectOperators(field.value, operators);
}

/// Whether each row of a FROM clause has a row of that table. On the side of an outer join that is
/// filled up with nulls it may have none, and then the values in the table decide about that.
bool HasRowsOf(const Node& from, int64_t table) {
  if (from.label == "RANGETBLREF") return from.Number("rtindex") == table;
  if (from.label == "FROMEXPR") {
    return std::ranges::any_of(from.Field("fromlist").items,
                               [&](const Node& item) { return HasRowsOf(item, table); });
  }
  const int64_t join = from.Number("jointype");
  if (from.label != "JOINEXPR" || (join != kInnerJoin && join != kLeftJoin && join != kRightJoin))
    return false;
  return (join != kRightJoin && HasRowsOf(from.Field("larg"), table)) ||
         (join != kLeftJoin && HasRowsOf(from.Field("rarg"), table));
}

/// The column of a subquery that a column of `query` is, and that subquery. Null where it is
/// something else, or rows of the query may be without one of the subquery.
const Node* Below(const Node*& query, const Node& entry) {
  const Node& column = entry.Field("expr");
  if (column.label != "VAR" || column.Number("varlevelsup") != 0) return nullptr;
  const auto& tables = query->Field("rtable").items;
  const auto number = static_cast<size_t>(column.Number("varno"));
  if (number < 1 || number > tables.size()) return nullptr;
  const Node& table = tables[number - 1];
  if (table.Number("rtekind") != kSubquery) return nullptr;
  if (!HasRowsOf(query->Field("jointree"), column.Number("varno"))) return nullptr;
  query = &table.Field("subquery");
  const auto& columns = query->Field("targetList").items;
  const auto found = std::ranges::find_if(columns, [&](const Node& inner) {
    return inner.Number("resno") == column.Number("varattno");
  });
  return found == columns.end() ? nullptr : &*found;
}

void CollectNumbers(const Node& value, std::set<int64_t>& into) {
  if (const int64_t number = value.number(); number > 0) into.insert(number);
  for (const Node& item : value.items) CollectNumbers(item, into);
}

/// LIMIT ALL is a null.
bool Limits(const Node& count) {
  if (count.label.empty()) return false;
  return count.label != "CONST" || !count.Is("constisnull", "true");
}

void AddEqualities(const Node& clause, std::set<int64_t>& equalities) {
  for (const Node& by : clause.items) equalities.insert(by.Number("eqop"));
}

}  // namespace

void DependenceSearch::Add(const Node& tree, bool by_last_column) {
  if (by_last_column) ExemptGroups(tree);
  Visit(tree, nullptr);
}

void DependenceSearch::Scan(std::string_view reason) {
  if (found_.scan.empty()) found_.scan = reason;
}

void DependenceSearch::Session(std::string_view reason) {
  if (found_.session.empty()) found_.session = reason;
}

/// Follows the last column down to the query that groups by it, if there is one. Ranges may compare
/// otherwise: where its schema is not on the search_path, citext has the operators of text.
void DependenceSearch::ExemptGroups(const Node& statement) {
  std::set<int64_t> ranges;
  CollectOperators(statement.Field("jointree").Field("quals"), ranges);
  const Node* query = &statement;
  const auto& columns = query->Field("targetList").items;
  const Node* entry = columns.empty() ? nullptr : &columns.back();
  while (entry != nullptr && !query->Has("setOperations") && !query->Has("groupingSets")) {
    if (Has(query->Field("distinctClause"), *entry, ranges)) whole_distinct_.insert(query);
    if (query->Has("groupClause")) {
      if (Has(query->Field("groupClause"), *entry, ranges)) whole_groups_.insert(query);
      return;
    }
    entry = Below(query, *entry);
  }
}

void DependenceSearch::Visit(const Node& node, const Node* query) {
  if (!node.label.empty()) VisitNode(node, query);
  if (node.label == "QUERY") query = &node;
  for (const Node& item : node.items) Visit(item, query);
  for (const auto& [name, value] : node.fields) {
    if (name.contains("coll") || name.contains("Coll")) CollectNumbers(value, found_.collations);
    if ((name == "groupClause" && !whole_groups_.contains(query)) ||
        (name == "distinctClause" && !whole_distinct_.contains(query)) || name == "groupClauses")
      AddEqualities(value, found_.equalities);
    if (name != "sortClause") Visit(value, query);
  }
}

void DependenceSearch::VisitNode(const Node& node, const Node* query) {
  const std::string& label = node.label;
  if (label == "QUERY") {
    VisitQuery(node);
  } else if (label == "RANGETBLENTRY") {
    VisitTable(node);
  } else if (label == "FUNCEXPR") {
    const int64_t function = node.Number("funcid");
    found_.functions.insert(function);
    const auto given = static_cast<int64_t>(node.Field("args").items.size());
    const auto fewest = found_.arguments.emplace(function, given).first;
    fewest->second = std::min(fewest->second, given);
    if (IsTimeFunction(function)) DependsOnTime(function == kStatementTimestamp);
  } else if (label == "SQLVALUEFUNCTION") {
    if (IsTimeValue(node.Number("op"))) DependsOnTime(false);
  } else if (label == "WINDOWFUNC") {
    found_.functions.insert(node.Number("winfnoid"));
  } else if (label == "AGGREF") {
    VisitAggregate(node, query);
  } else if (label == "COERCEVIAIO") {
    const int64_t type = node.Number("resulttype");
    found_.inputs.insert(type);
    // ('now'::text)::date, as CURRENT_DATE was kept in views before PostgreSQL 10.
    if (node.Field("arg").label == "CONST" &&
        std::ranges::find(kTimeTypes, type) != kTimeTypes.end())
      DependsOnTime(false);
  } else if (label == "VAR") {
    const int64_t column = node.Number("varattno");
    if (column >= kCmax && column <= kCmin)
      Scan("it reads xmax, cmin or cmax, which other transactions change");
  } else if (label == "SUBLINK" && node.Number("subLinkType") == kArraySublink) {
    Scan("it makes an array of rows, ARRAY(SELECT …), whose order may change");
  } else if (label == "PARAM" && node.Number("paramkind") != kSublinkParameter) {
    Scan("it has a parameter without a value");
  } else if (label == "TABLEFUNC") {
    CollectNumbers(node.Field("coltypes"), found_.inputs);
  } else if (std::ranges::find(kPlainNodes, label) == kPlainNodes.end()) {
    const std::string reason =
        fmt::format("it has an expression that is not known here ({})", label);
    Scan(reason);
    Session(reason);
  }
  if (const int64_t number = node.Number("opno"); number != 0) found_.operators.insert(number);
  if (node.Has("opnos")) CollectNumbers(node.Field("opnos"), found_.operators);
}

void DependenceSearch::VisitAggregate(const Node& node, const Node* query) {
  const int64_t function = node.Number("aggfnoid");
  found_.functions.insert(function);
  if (whole_groups_.contains(query) && node.Number("agglevelsup") == 0) return;
  found_.aggregates.insert(function);
  if (std::ranges::find(kCounts, function) == kCounts.end())
    AddEqualities(node.Field("aggdistinct"), found_.equalities);
}

void DependenceSearch::VisitQuery(const Node& query) {
  if (query.Is("hasWindowFuncs", "true")) Scan("it has a window function");
  if (query.Is("hasDistinctOn", "true")) Scan("it has DISTINCT ON");
  if (Limits(query.Field("limitCount")) || Limits(query.Field("limitOffset")))
    Scan("it has LIMIT, OFFSET or FETCH");
  if (query.Is("hasForUpdate", "true") || query.Has("rowMarks"))
    Scan("it locks rows, FOR UPDATE or FOR SHARE");
  if (query.Is("hasModifyingCTE", "true") || query.Number("commandType") != 1)
    Scan("it is no plain SELECT");
}

void DependenceSearch::VisitTable(const Node& table) {
  const int64_t kind = table.Number("rtekind");
  if (kind == kRelation) found_.tables.insert(table.Number("relid"));
  if (table.Has("tablesample")) Scan("it has TABLESAMPLE");
  if (table.Has("securityQuals")) found_.guarded.insert(table.Number("relid"));
  if (kind == kTableFunction || kind == kNamedTuplestore)
    Scan("it reads a table out of a document, XMLTABLE or JSON_TABLE");
}

void DependenceSearch::DependsOnTime(bool of_the_statement) {
  found_.statement_time |= of_the_statement;
  Session(
      "it depends on the present time where that cannot be written down: in a view, a default, "
      "a policy, a cast of text or an expression that the query repeats");
}

}  // namespace spillway::postgres_source
