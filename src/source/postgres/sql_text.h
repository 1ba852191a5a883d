#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/error.h"

/// How PostgreSQL cuts SQL into tokens, with standard_conforming_strings
/// (https://www.postgresql.org/docs/15/sql-syntax-lexical.html).
namespace spillway::postgres_source {

bool IsNameStart(char c);
bool IsDigit(char c);
bool IsSpace(char c);

/// The end of the name that begins at `at`.
size_t NameEnd(std::string_view sql, size_t at);

/// The end of the text, name or comment that begins at `at`; `at` itself where none does.
/// kInvalidArgument for one that never ends.
Result<size_t> SkipToken(std::string_view sql, size_t at);

/// The same place, or the first after it that is neither space nor comment.
Result<size_t> SkipSpace(std::string_view sql, size_t at);

/// The end of the text that begins at `at` and means what it looks like: '…', $…$, or E'…' without
/// backslashes, not continued by another text. None for U&'…' and everything else.
Result<std::optional<size_t>> PlainTextEnd(std::string_view sql, size_t at);

}  // namespace spillway::postgres_source
