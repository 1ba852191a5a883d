#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "source/postgres/query_reader.h"

namespace spillway::postgres_source {

/// What the rows of a SELECT depend on besides the snapshot that it is run in (ADR 13, 14, 15).
struct Dependences {
  /// Why two runs of it may not find the same rows: "it has a window function". Empty: they do,
  /// in whatever order and by whatever plan the server reads.
  std::string scan;
  /// Why two sessions do not find the same rows, though one session does at every run: "now() in a
  /// view". Then `scan` is not empty either. Empty: nothing of the kind is known.
  std::string session;
  /// The OIDs of the tables, views and sequences that the SELECT itself names: the user's own.
  std::vector<int64_t> tables;
  /// The tables, with schemas, of which policies of row security choose the rows.
  std::vector<std::string> policies;
  /// The functions that may read tables of which nobody sees here which they are, so that policies
  /// may choose rows there, too: the user's own, unless IMMUTABLE, and the server's that run a text
  /// as a query. Empty where no table of the database has row security.
  std::vector<std::string> opaque_functions;
  /// The first of them that sets row_security = on for itself; empty when there is none.
  std::string switches_policies_on;
};

/// Finds the dependences in the server's own parse tree of the SELECT, in which views and policies
/// are resolved. Anything in the tree that is not known here counts as a dependence, and so does
/// everything when the server does not print the tree. Policies are not known then either, so
/// readers with row_security fail (kUnsupported).
///
/// `by_last_column` says that only ranges of the last column are read apart, by the operators of
/// the SELECT's own WHERE. Where a query inside groups by that column, each of its groups is then
/// whole in one range, so what is made of a group may depend on its order. kInvalidArgument for a
/// statement_timestamp() that cannot be replaced: with it even one session finds other rows at each
/// run.
Result<Dependences> FindDependences(QueryReader& reader, const std::string& select,
                                    bool by_last_column, std::stop_token stop = {});

}  // namespace spillway::postgres_source
