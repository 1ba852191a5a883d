#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "source/postgres/query_reader.h"

namespace spillway::postgres_source {

/// What is to be read: all of a table or view, or what a query finds.
struct Wanted {
  std::string table;  ///< "schema.name", quoted where SQL would have it so; empty: a query.
  std::string query;  ///< With parameters written :name.
  /// Their values as PostgreSQL reads text; none: null.
  std::vector<std::pair<std::string, std::optional<std::string>>> parameters;
  /// A column and what it shall be called. Empty: all.
  std::vector<std::pair<std::string, std::string>> columns;
};

/// What is to be read, as one SELECT whose parts can be read apart.
struct Selection {
  std::string from;  ///< A table's quoted name, or a query in brackets.
  std::string list;  ///< Its quoted columns.
  std::vector<Column> columns;
  std::vector<std::string> keys;  ///< Every column that there is, by which it may be split.
  std::optional<uint32_t> table;  ///< Its OID.

  /// The SELECT of the rows that meet `condition` (empty: of all).
  std::string Select(std::string_view condition = "") const;
};

/// Resolves names, types and values. A query's parameters get the types that the server infers, as
/// if they were bound; values are quoted by libpq and cast to them, so whatever they hold stays a
/// value. A query gets the instant of the reader's transaction (see WithInstant). Of a table, only
/// the columns that are wanted need be granted. kInvalidArgument names an unknown, missing or
/// misspelt parameter or column; kNotFound a table that is not there.
Result<Selection> Resolve(QueryReader& reader, const Wanted& wanted, std::stop_token stop = {});

/// kInvalidArgument where parameters are not those of the query. Needs no server.
Result<> CheckParameters(const Wanted& wanted);

}  // namespace spillway::postgres_source
