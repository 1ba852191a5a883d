#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <libpq-fe.h>

namespace spillway::postgres {

/// What a statement returned, whole in memory. Views live as long as it. Rows and columns count
/// from 0.
class Rows {
 public:
  explicit Rows(PGresult* result) : result_(result) {}

  int size() const { return PQntuples(result_.get()); }
  int columns() const { return PQnfields(result_.get()); }
  bool empty() const { return size() == 0; }
  std::string_view ColumnName(int column) const { return PQfname(result_.get(), column); }
  /// The OID of the column's type, as in pg_type.
  Oid ColumnType(int column) const { return PQftype(result_.get(), column); }
  /// The type's modifier (precision and scale of a numeric), -1 without one.
  int ColumnModifier(int column) const { return PQfmod(result_.get(), column); }

  bool IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  /// The value's bytes as they came: PostgreSQL's text, or its binary form. Empty for a null.
  std::string_view Text(int row, int column) const;
  std::optional<std::string_view> TextOrNull(int row, int column) const;
  /// Of a column of type smallint, integer or bigint, in either form; 0 for a null.
  int64_t Integer(int row, int column) const;
  std::optional<int64_t> IntegerOrNull(int row, int column) const;
  /// Of a column of type boolean, in either form; false for a null.
  bool Boolean(int row, int column) const;

  /// How many rows the statement inserted, updated, deleted, selected or copied.
  int64_t affected() const;
  /// "UPDATE 3", "BEGIN", ….
  std::string_view command() const { return PQcmdStatus(result_.get()); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };

  bool IsBinary(int column) const { return PQfformat(result_.get(), column) == 1; }

  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace spillway::postgres
