#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "source/postgres/query_reader.h"
#include "source/postgres/selection.h"

namespace spillway::postgres_source {

/// The columns of a table's primary key, or else of a unique index over columns that are never
/// null; empty where there is none, or where the role may not read them.
Result<std::vector<std::string>> KeyOf(QueryReader& reader, uint32_t table,
                                       std::stop_token stop = {});

/// An expression of SQL for a row's key as one bigint: PostgreSQL's own hash of an integer or of
/// the text that a value has, each seeded with the one before. kInvalidArgument for a column that
/// is not there.
Result<std::string> KeyHash(QueryReader& reader, const Selection& selection,
                            std::span<const std::string> key, std::stop_token stop = {});

/// The column of a KeyHash as it arrives.
Column KeyHashColumn();

/// The sum of key hashes. It does not depend on their order, and is different when a key is missing
/// or when one comes twice in place of another.
class KeySum {
 public:
  /// kCorrupt for what is no array of bigints without nulls.
  Result<> Add(const arrow::Array& hashes);
  /// As PostgreSQL writes the same sum.
  std::string ToString() const;

 private:
  __extension__ using Int128 = __int128;
  Int128 sum_ = 0;
};

}  // namespace spillway::postgres_source
