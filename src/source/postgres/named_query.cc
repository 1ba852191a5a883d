#include "source/postgres/named_query.h"

#include <algorithm>

#include "source/postgres/sql_text.h"

namespace spillway::postgres_source {
void NamedQuery::Add(std::string_view name) {
  const auto found = std::ranges::find(names_, name);
  parameters_.push_back(static_cast<size_t>(found - names_.begin()));
  if (found == names_.end()) names_.emplace_back(name);
  texts_.emplace_back();
}

Result<NamedQuery> NamedQuery::Parse(std::string_view sql) {
  NamedQuery query;
  query.texts_.emplace_back();
  bool ended = false;
  for (size_t at = 0; at < sql.size();) {
    const size_t end = TRY(SkipToken(sql, at));
    const bool comment = sql.substr(at, 2) == "--" || sql.substr(at, 2) == "/*";
    if (ended && !comment && !IsSpace(sql[at]) && sql[at] != ';') {
      return Fail(ErrorCode::kInvalidArgument, "the query is more than one statement");
    }
    if (end > at) {
      query.texts_.back() += sql.substr(at, end - at);
      at = end;
    } else if (sql[at] == ';') {
      ended = true;
      ++at;
    } else if (sql[at] == '\0') {
      return Fail(ErrorCode::kInvalidArgument, "the query holds a NUL character");
    } else if (sql[at] == '$' && at + 1 < sql.size() && IsDigit(sql[at + 1])) {
      return Fail(ErrorCode::kInvalidArgument, "the query has a parameter $" +
                                                   std::string(1, sql[at + 1]) +
                                                   "; give parameters a name, :name");
    } else if (sql[at] == ':' && at + 1 < sql.size() && IsNameStart(sql[at + 1])) {
      const size_t name_end = NameEnd(sql, at + 1);
      query.Add(sql.substr(at + 1, name_end - at - 1));
      at = name_end;
    } else {
      // `::` and `:=` are one.
      const bool two =
          sql[at] == ':' && at + 1 < sql.size() && (sql[at + 1] == ':' || sql[at + 1] == '=');
      query.texts_.back() += sql.substr(at, two ? 2 : 1);
      at += two ? 2 : 1;
    }
  }
  return query;
}

std::string NamedQuery::WithPlaceholders() const {
  std::string sql = texts_.front();
  for (size_t i = 0; i < parameters_.size(); ++i)
    sql += "$" + std::to_string(parameters_[i] + 1) + " " + texts_[i + 1];
  return sql;
}

std::string NamedQuery::With(std::span<const std::string> expressions) const {
  std::string sql = texts_.front();
  for (size_t i = 0; i < parameters_.size(); ++i)
    sql += "(" + expressions[parameters_[i]] + ")" + texts_[i + 1];
  return sql;
}

}  // namespace spillway::postgres_source
