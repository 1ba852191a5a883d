#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "source/postgres/query_reader.h"
#include "source/postgres/selection.h"
#include "source/postgres/snapshots.h"

namespace spillway::postgres_source {

/// Some rows of a selection. Every row of the selection is in exactly one of its splits, whatever
/// its values are.
struct Split {
  std::string condition;  ///< For Selection::Select; empty: all rows.
  int64_t rows = -1;      ///< As the server counts them in the reader's snapshot; -1: not counted.
  std::string keys;       ///< The KeySum of the rows, counted with them; empty: not known.
};

/// Splits a table by the place of its rows into splits of about `bytes` on disk each. A place is a
/// range of blocks, which a TID range scan reads without reading others. There is only one split
/// for what has no such places (views, foreign tables, servers before 14) and where the role may
/// read only some columns, which do not include the place. Order: as rows lie on disk.
Result<std::vector<Split>> SplitByPlace(QueryReader& reader, const Selection& selection,
                                        int64_t bytes, std::stop_token stop = {});

/// Whether a selection can be split by ranges of a column. kInvalidArgument for an unknown column,
/// one of a type without ranges, and a selection of which parts may not be read apart (see
/// Dependences::scan).
Result<> CheckKey(QueryReader& reader, const Selection& selection, const std::string& column,
                  std::stop_token stop = {});

/// Splits by ranges of a column with about equal numbers of rows, found from a sample; nulls are in
/// the first. Without an index on the column every split reads the whole table, so there are at
/// most `splits_max`. Order: by range. One statement counts the rows of all splits, so that the
/// whole plan comes from one run of the query; with `key_hash`, as KeyHash makes it, it also sums
/// their keys. A single split is not counted. Errors also as CheckKey's.
Result<std::vector<Split>> SplitByKey(QueryReader& reader, const Selection& selection,
                                      const std::string& column, const std::string& key_hash,
                                      int64_t splits_max, std::stop_token stop = {});

/// Lends another reader of the same snapshot.
using BorrowReader = std::function<Result<Snapshots::Borrowed>()>;

/// Has the server count one split's rows.
Result<> CountRows(QueryReader& reader, const Selection& selection, Split& split,
                   std::stop_token stop);

/// Has the server count the splits' rows, in up to `parallel` sessions.
Result<> CountRows(const Selection& selection, const BorrowReader& borrow, int parallel,
                   std::vector<Split>& splits, std::stop_token stop);

}  // namespace spillway::postgres_source
