#include "source/postgres/job_instant.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "source/postgres/node_tree.h"
#include "source/postgres/sql_text.h"
#include "source/postgres/time_functions.h"

namespace spillway::postgres_source {
namespace {

using postgres::Rows;

/// How often to look for times. A second call of the same expression, as in ORDER BY now(), appears
/// in the tree only after the first one was replaced.
constexpr int kRoundsMax = 10;

/// Types that take any text for what it is: json, text, unknown, bpchar, varchar, name, jsonb.
constexpr std::array<int64_t, 7> kTextTypes = {114, 25, 705, 1042, 1043, 19, 3802};

constexpr std::array<std::string_view, 5> kTimeValues = {
    "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"};

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

bool NamesATime(std::string_view literal) {
  const std::string lower = Lower(literal);
  return std::ranges::any_of(std::array{"now", "today", "tomorrow", "yesterday"},
                             [&](const char* word) { return lower.contains(word); });
}

/// A stretch of the query that stands for a time.
struct Use {
  enum class Kind { kExpression, kLiteral, kAge };

  Kind kind;
  size_t begin;  ///< Of age(x), where x begins.
  size_t end;
  int64_t type;  ///< Of the value; of age(x), of what is to stand before x.
  int64_t modifier = -1;
  std::string source;       ///< What it says.
  std::string column_name;  ///< What the server calls a column that is this expression.
};

class Search {
 public:
  explicit Search(std::string_view sql) : sql_(sql) {}

  Result<std::vector<Use>> Run(const Node& query) {
    TRY(Visit(query, ""));
    std::ranges::sort(uses_, {}, &Use::begin);
    return std::move(uses_);
  }

 private:
  Result<> Visit(const Node& node, const std::string& column_name) {
    TRY(Take(node, column_name));
    for (const Node& item : node.items) TRY(Visit(item, column_name));
    for (const auto& [name, value] : node.fields) {
      // As a table of its own, only a function can stand there.
      if (node.label == "RANGETBLFUNCTION" && name == "funcexpr" && IsTime(value)) continue;
      const bool kept = name == "defresult" || (node.label != "FUNCEXPR" && name == "arg") ||
                        (node.label == "FUNCEXPR" && name == "args" && !node.Is("funcformat", "0"));
      TRY(Visit(value, node.label == "TARGETENTRY" && name == "expr" ? node.Field("resname").word
                       : kept                                        ? column_name
                                                                     : ""));
    }
    return {};
  }

  static bool IsTime(const Node& node) {
    return node.label == "SQLVALUEFUNCTION" || IsTimeFunction(node.Number("funcid"));
  }

  Result<> Take(const Node& node, const std::string& column_name) {
    const int64_t location = node.Number("location");
    if (location < 0 || static_cast<size_t>(location) >= sql_.size()) return {};
    const auto begin = static_cast<size_t>(location);
    if (node.label == "SQLVALUEFUNCTION" && IsTimeValue(node.Number("op")))
      return TakeValue(node, begin, column_name);
    if (node.label == "FUNCEXPR" && IsTimeFunction(node.Number("funcid")))
      return TakeCall(node, begin, column_name);
    if (node.label == "CONST") return TakeLiteral(node, begin);
    return {};
  }

  /// `CURRENT_TIMESTAMP`, perhaps with a precision in brackets.
  Result<> TakeValue(const Node& node, size_t begin, const std::string& column_name) {
    size_t end = NameEnd(sql_, begin);
    const std::string word = Lower(sql_.substr(begin, end - begin));
    if (std::ranges::find(kTimeValues, word) == kTimeValues.end()) return {};
    const size_t bracket = TRY(SkipSpace(sql_, end));
    if (bracket < sql_.size() && sql_[bracket] == '(') {
      const size_t close = sql_.find(')', bracket);
      if (close == std::string_view::npos) return {};
      end = close + 1;
    }
    uses_.push_back({.kind = Use::Kind::kExpression,
                     .begin = begin,
                     .end = end,
                     .type = node.Number("type"),
                     .modifier = node.Number("typmod"),
                     .source = std::string(sql_.substr(begin, end - begin)),
                     .column_name = column_name});
    return {};
  }

  /// `now()`, `pg_catalog.now()`, `age(x)`.
  Result<> TakeCall(const Node& node, size_t begin, const std::string& column_name) {
    size_t at = begin;
    while (at < sql_.size() && sql_[at] != '(') {
      const size_t next = sql_[at] == '.' ? at + 1 : TRY(SkipToken(sql_, at));
      if (next == at) return {};
      at = TRY(SkipSpace(sql_, next));
    }
    if (at == sql_.size() || !node.Is("funcformat", "0")) return {};
    const size_t inside = TRY(SkipSpace(sql_, at + 1));
    const int64_t function = node.Number("funcid");
    if (function == kAgeOfInstant || function == kAgeOfTimestamp) {
      uses_.push_back({.kind = Use::Kind::kAge,
                       .begin = at + 1,
                       .end = at + 1,
                       .type = function == kAgeOfInstant ? kTimestamptz : kTimestamp,
                       .source = "CURRENT_DATE",
                       .column_name = ""});
    } else if (inside < sql_.size() && sql_[inside] == ')') {
      uses_.push_back({.kind = Use::Kind::kExpression,
                       .begin = begin,
                       .end = inside + 1,
                       .type = node.Number("funcresulttype"),
                       .source = "now()",
                       .column_name = column_name});
    }
    return {};
  }

  Result<> TakeLiteral(const Node& node, size_t begin) {
    const int64_t type = node.Number("consttype");
    if (node.Is("constisnull", "true") || std::ranges::find(kTextTypes, type) != kTextTypes.end())
      return {};
    const std::optional<size_t> plain = TRY(PlainTextEnd(sql_, begin));
    if (!plain.has_value()) return {};
    const size_t end = *plain;
    if (NamesATime(sql_.substr(begin, end - begin)))
      uses_.push_back({.kind = Use::Kind::kLiteral,
                       .begin = begin,
                       .end = end,
                       .type = type,
                       .source = std::string(sql_.substr(begin, end - begin)),
                       .column_name = ""});
    return {};
  }

  const std::string_view sql_;
  std::vector<Use> uses_;
};

/// Whether a constant is a text that names no time, whatever type it is read as.
Result<bool> NamesNoTime(const Node& constant, std::string_view sql) {
  const int64_t location = constant.Number("location");
  if (location < 0 || static_cast<size_t>(location) >= sql.size()) return false;
  const auto begin = static_cast<size_t>(location);
  const std::optional<size_t> end = TRY(PlainTextEnd(sql, begin));
  return end.has_value() && !NamesATime(sql.substr(begin, *end - begin));
}

Result<> AddTypes(const Node& node, bool has_places, std::string_view sql,
                  std::set<int64_t>& types) {
  if (node.label == "CONST" && !node.Is("constisnull", "true") &&
      !(has_places && TRY(NamesNoTime(node, sql))))
    types.insert(node.Number("consttype"));
  for (const Node& item : node.items) TRY(AddTypes(item, has_places, sql, types));
  for (const auto& [name, value] : node.fields) TRY(AddTypes(value, has_places, sql, types));
  return {};
}

/// The text that replaces it.
Result<std::string> Replacement(QueryReader& reader, const Use& use, const std::stop_token& stop) {
  const postgres::Connection& connection = reader.connection();
  const Rows named =
      TRY(reader.Execute("SELECT format_type($1::oid, $2)", {use.type, use.modifier}, stop));
  const std::string type(named.Text(0, 0));
  const Rows value = TRY(reader.Execute(
      fmt::format("SELECT CAST(CAST({} AS {}) AS text)", use.source, type), {}, stop));
  const std::string literal = TRY(connection.QuoteLiteral(value.Text(0, 0)));
  const std::string cast = fmt::format("CAST({} AS {})", literal, type);
  if (use.kind == Use::Kind::kLiteral) return literal;
  if (use.kind == Use::Kind::kAge) return cast + ", ";
  if (use.column_name.empty()) return cast;
  // A cast would call the column after its type.
  const std::string name = TRY(connection.QuoteIdentifier(use.column_name));
  return fmt::format("(SELECT {} AS {})", cast, name);
}

/// Where a subtotal leaves out an expression, all that repeats it is null: `SELECT now()` is, with
/// ROLLUP (now()), and a constant in its place is not.
bool HasGroupingSets(const Node& node) {
  return (node.label == "QUERY" && node.Has("groupingSets")) ||
         std::ranges::any_of(node.items, HasGroupingSets) ||
         std::ranges::any_of(node.fields,
                             [](const NodeField& field) { return HasGroupingSets(field.value); });
}

/// Places in a parse tree count bytes in the server's encoding.
Result<bool> HasPlaces(QueryReader& reader, const std::string& query, const std::stop_token& stop) {
  if (std::ranges::all_of(query, [](char c) { return static_cast<signed char>(c) >= 0; }))
    return true;
  const Rows encoding = TRY(reader.Execute(
      "SELECT current_setting('server_encoding') IN ('UTF8', 'SQL_ASCII')", {}, stop));
  return encoding.Boolean(0, 0);
}

}  // namespace

Result<std::string> InstantOf(QueryReader& reader, std::stop_token stop) {
  const Rows now = TRY(reader.Execute(
      "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')", {},
      std::move(stop)));
  return std::string(now.Text(0, 0));
}

Result<std::set<int64_t>> TypesThatMayNameATime(QueryReader& reader, const std::string& query,
                                                const Node& written, std::stop_token stop) {
  std::set<int64_t> types;
  const bool has_places = TRY(HasPlaces(reader, query, stop));
  TRY(AddTypes(written, has_places, query, types));
  return types;
}

Result<std::string> WithInstant(QueryReader& reader, std::string query, std::stop_token stop) {
  const bool has_places = TRY(HasPlaces(reader, query, stop));
  const std::string written = query;
  for (int round = 0; has_places && round < kRoundsMax; ++round) {
    const std::optional<ParseTrees> trees = TRY(reader.Parse(query, stop));
    if (!trees.has_value()) return written;
    if (HasGroupingSets(trees->written)) return written;
    const std::vector<Use> uses = TRY(Search(query).Run(trees->written));
    std::string pinned;
    size_t at = 0;
    for (const Use& use : uses) {
      if (use.begin < at) continue;  // The same literal, which stands in the tree twice.
      const std::string replacement = TRY(Replacement(reader, use, stop));
      pinned += query.substr(at, use.begin - at) + replacement;
      at = use.end;
    }
    pinned += query.substr(at);
    if (pinned == query) break;
    // The tree has one place for an expression that SQL wants to be the same as another's.
    if (!TRY(reader.Accepts(pinned, stop))) return written;
    query = std::move(pinned);
  }
  return query;
}

}  // namespace spillway::postgres_source
