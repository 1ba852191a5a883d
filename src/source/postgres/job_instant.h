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

/// Replaces the present time in a query by the instant of the reader's transaction: now(),
/// CURRENT_DATE and the like, and 'now', 'today', 'tomorrow' and 'yesterday' where the server reads
/// them as times, if they are written plainly. The query then means the same wherever it is run
/// (ADR 14). Times in views, defaults and policies are not replaced: see FindDependences. The whole
/// query stays as it is when the server does not say how it reads it, or would refuse the result
/// because its GROUP BY repeats such an expression. Columns keep their names. Errors are
/// QueryReader's.
Result<std::string> WithInstant(QueryReader& reader, std::string query, std::stop_token stop = {});

/// The types of the constants in a query, whose tree is `written`, that would be the present time
/// if their type reads 'now' as a time: those that WithInstant left, and those that it does not
/// recognise (U&'…', backslashes, texts continued on another line).
Result<std::set<int64_t>> TypesThatMayNameATime(QueryReader& reader, const std::string& query,
                                                const Node& written, std::stop_token stop = {});

}  // namespace spillway::postgres_source
