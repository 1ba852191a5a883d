#include "source/postgres/sql_text.h"

#include <algorithm>
#include <string>

namespace spillway::postgres_source {
namespace {

bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c) || c == '$'; }

std::unexpected<Error> Endless(std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument,
              "the query has " + std::string(what) + " without an end");
}

/// The place after the quote that closes the one at `at`; a doubled quote closes nothing.
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

/// The place after an E'…' text with its continuations, which are on the lines below.
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

/// The place after `$tag$ … $tag$`; `at` itself when no dollar quote begins there.
Result<size_t> DollarQuoteEnd(std::string_view sql, size_t at) {
  size_t tag_end = at + 1;
  while (tag_end < sql.size() && sql[tag_end] != '$' && IsNamePart(sql[tag_end])) ++tag_end;
  if (tag_end == sql.size() || sql[tag_end] != '$' || IsDigit(sql[at + 1])) return at;
  const std::string_view tag = sql.substr(at, tag_end + 1 - at);
  const size_t end = sql.find(tag, tag_end + 1);
  if (end == std::string_view::npos) return Endless("a dollar-quoted text");
  return end + tag.size();
}

}  // namespace

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

size_t NameEnd(std::string_view sql, size_t at) {
  while (at < sql.size() && IsNamePart(sql[at])) ++at;
  return at;
}

Result<size_t> SkipToken(std::string_view sql, size_t at) {
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

Result<size_t> SkipSpace(std::string_view sql, size_t at) {
  while (at < sql.size()) {
    if (IsSpace(sql[at])) {
      ++at;
    } else if (sql.substr(at, 2) == "--" || sql.substr(at, 2) == "/*") {
      at = TRY(SkipToken(sql, at));
    } else {
      break;
    }
  }
  return at;
}

Result<std::optional<size_t>> PlainTextEnd(std::string_view sql, size_t at) {
  const std::string_view rest = sql.substr(at);
  const bool escaped = rest.starts_with("E'") || rest.starts_with("e'");
  if (!escaped && !rest.starts_with('\'') && !rest.starts_with('$')) return std::nullopt;
  const size_t end = TRY(SkipToken(sql, at));
  if (end == at) return std::nullopt;
  const std::string_view text = sql.substr(at, end - at);
  if (escaped && (text.contains('\\') || text.contains('\n'))) return std::nullopt;
  const size_t next = TRY(SkipSpace(sql, end));
  if (next < sql.size() && sql[next] == '\'') return std::nullopt;
  return end;
}

}  // namespace spillway::postgres_source
