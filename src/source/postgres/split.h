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

/// Some rows of a selection. The splits of one selection hold each of its rows once, whatever its
/// values are.
struct Split {
  std::string condition;  ///< For Selection::Select; empty: all rows.
  int64_t rows = -1;      ///< As the server counts them in the reader's snapshot; -1: not counted.
  std::string keys;       ///< The KeySum of them, counted with them; empty: not known.
};

/// Splits a table by the place of its rows (ranges of blocks, which TID range scans read without
/// passing over others), so that a split has about `bytes` on disk. One split for what has no such
/// places: views, foreign tables, servers before 14, and
/// where the role may read some columns only, which are no places. Order: as rows lie on disk.
Result<std::vector<Split>> SplitByPlace(QueryReader& reader, const Selection& selection,
                                        int64_t bytes, std::stop_token stop = {});

/// Whether a selection can be split by ranges of a column. kInvalidArgument for an unknown column,
/// one of a type without ranges, and a selection of which parts may not be read apart (see
/// Dependences::scan).
Result<> CheckKey(QueryReader& reader, const Selection& selection, const std::string& column,
                  std::stop_token stop = {});

/// Splits by ranges of a column of about equal numbers of rows, found from a sample; nulls are in
/// the first. Unless an index serves the ranges, every split reads everything, so there are at most
/// `splits_max`. Order: by range. The rows of all splits are counted by one statement, so that what
/// is planned is one run of the query; with `key_hash`, as KeyHash makes it, their keys are summed.
/// Where one split is enough it is not counted. Errors also as CheckKey's.
Result<std::vector<Split>> SplitByKey(QueryReader& reader, const Selection& selection,
                                      const std::string& column, const std::string& key_hash,
                                      int64_t splits_max, std::stop_token stop = {});

/// Another reader of the same snapshot.
using BorrowReader = std::function<Result<Snapshots::Borrowed>()>;

/// Lets the server count one split's rows.
Result<> CountRows(QueryReader& reader, const Selection& selection, Split& split,
                   std::stop_token stop);

/// Lets the server count the splits' rows, in up to `parallel` sessions.
Result<> CountRows(const Selection& selection, const BorrowReader& borrow, int parallel,
                   std::vector<Split>& splits, std::stop_token stop);

}  // namespace spillway::postgres_source
