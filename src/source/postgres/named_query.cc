#include "source/postgres/named_query.h"

#include <algorithm>
#include <optional>

namespace spillway::postgres_source {
namespace {

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c) || c == '$'; }
bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::unexpected<Error> Endless(std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument,
              "the query has " + std::string(what) + " without an end");
}

size_t NameEnd(std::string_view sql, size_t at) {
  while (at < sql.size() && IsNamePart(sql[at])) ++at;
  return at;
}

/// Behind the quote that closes the one at `at`; a doubled quote closes nothing.
Result<size_t> QuoteEnd(std::string_view sql, size_t at, bool backslashes) {
  const char quote = sql[at];
  for (++at; at < sql.size(); ++at) {
    if (backslashes && sql[at] == '\\') {
      ++at;
    } else if (sql[at] == quote) {
      if (at + 1 == sql.size() || sql[at + 1] != quote) return at + 1;
      ++at;
    }
  }
  return Endless(quote == '"' ? "a quoted name" : "a text");
}

/// Behind an E'…' text with its continuations, which stand on lines below and are read like it.
Result<size_t> EscapedTextEnd(std::string_view sql, size_t at) {
  while (true) {
    const size_t end = TRY(QuoteEnd(sql, at, true));
    bool new_line = false;
    for (at = end; at < sql.size(); ++at) {
      if (sql.substr(at, 2) == "--") at = std::min(sql.find('\n', at), sql.size() - 1);
      if (!IsSpace(sql[at])) break;
      new_line |= sql[at] == '\n' || sql[at] == '\r';
    }
    if (!new_line || at >= sql.size() || sql[at] != '\'') return end;
  }
}

/// Comments nest.
Result<size_t> CommentEnd(std::string_view sql, size_t at) {
  int depth = 0;
  while (at + 1 < sql.size()) {
    if (sql.substr(at, 2) == "/*") {
      ++depth, at += 2;
    } else if (sql.substr(at, 2) == "*/") {
      at += 2;
      if (--depth == 0) return at;
    } else {
      ++at;
    }
  }
  return Endless("a comment");
}

/// Behind `$tag$ … $tag$`; `at` itself where no dollar quote begins there.
Result<size_t> DollarQuoteEnd(std::string_view sql, size_t at) {
  size_t tag_end = at + 1;
  while (tag_end < sql.size() && sql[tag_end] != '$' && IsNamePart(sql[tag_end])) ++tag_end;
  if (tag_end == sql.size() || sql[tag_end] != '$' || IsDigit(sql[at + 1])) return at;
  const std::string_view tag = sql.substr(at, tag_end + 1 - at);
  const size_t end = sql.find(tag, tag_end + 1);
  if (end == std::string_view::npos) return Endless("a dollar-quoted text");
  return end + tag.size();
}

/// Behind the text, quoted name or comment that begins at `at`; `at` itself where none does.
Result<size_t> Skip(std::string_view sql, size_t at) {
  const std::string_view two = sql.substr(at, 2);
  if (two == "--") return std::min(sql.find('\n', at), sql.size());
  if (two == "/*") return CommentEnd(sql, at);
  if (sql[at] == '\'' || sql[at] == '"') return QuoteEnd(sql, at, false);
  if (sql[at] == '$') return DollarQuoteEnd(sql, at);
  if (!IsNameStart(sql[at])) return at;
  const size_t end = NameEnd(sql, at);
  const bool escapes = end == at + 1 && (sql[at] == 'E' || sql[at] == 'e');
  if (escapes && end < sql.size() && sql[end] == '\'') return EscapedTextEnd(sql, end);
  return end;
}

}  // namespace

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
    const size_t end = TRY(Skip(sql, at));
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
