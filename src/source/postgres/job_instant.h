#pragma once

#include <cstdint>
#include <set>
#include <stop_token>
#include <string>

#include "base/error.h"
#include "source/postgres/query_reader.h"

namespace spillway::postgres_source {

/// The instant of the reader's transaction, its now(), as ISO 8601 in UTC.
Result<std::string> InstantOf(QueryReader& reader, std::stop_token stop = {});

/// Writes the instant of the reader's transaction into a query: in place of now(), CURRENT_DATE and
/// their like, and of 'now', 'today', 'tomorrow' and 'yesterday' where the server reads them as
/// times, if they are written plainly. Wherever the query is run then, it means the same (ADR 14).
/// Where the server finds the time by itself, in views, defaults and policies, it stays as it is:
/// see FindDependences. So does the whole query where the server would not take it then, as its
/// GROUP BY repeats such an expression, or does not say how it reads it. Columns keep their names.
/// Errors are QueryReader's.
Result<std::string> WithInstant(QueryReader& reader, std::string query, std::stop_token stop = {});

/// The types of those constants in a query, of which `written` is the tree, that would be the
/// present time if the type is one that reads 'now' so: what WithInstant left and what it does not
/// see through (U&'…', backslashes, texts continued on another line).
Result<std::set<int64_t>> TypesThatMayNameATime(QueryReader& reader, const std::string& query,
                                                const Node& written, std::stop_token stop = {});

}  // namespace spillway::postgres_source
