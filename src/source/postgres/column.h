#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

/// Reads PostgreSQL tables and queries as Arrow record batches.
namespace spillway::postgres_source {

/// How a column's values come in COPY's binary format, and what they become.
enum class Encoding : uint8_t {
  kBool,
  kInt16,
  kInt32,
  kInt64,
  kOid,  ///< uint32
  kFloat,
  kDouble,
  kDate,
  kTime,
  kTimestamp,     ///< Without a zone.
  kInstant,       ///< With one: timestamptz.
  kSmallDecimal,  ///< decimal128 with a precision of at most 18.
  kDecimal,       ///< decimal128
  kLargeDecimal,  ///< decimal256
  kText,          ///< Bytes in the client's encoding, which is UTF-8.
  kBinary,
  kUuid,   ///< Becomes its text.
  kJsonb,  ///< A version, then text.
};

/// A column of a query.
struct Column {
  std::string name;
  uint32_t type = 0;      ///< OID in pg_type.
  int32_t modifier = -1;  ///< The type modifier; -1: none.
  std::string type_name;  ///< As format_type() spells it: "numeric(10,2)".
  bool is_enum = false;
  Encoding encoding = Encoding::kText;
  bool cast_to_text = false;    ///< The type has no encoding here; the server is to spell it out.
  bool is_number_text = false;  ///< Its text spells a number (batch::IsNumberText).
  std::shared_ptr<arrow::DataType> arrow_type;
};

/// Chooses what a column becomes, by its type's OID and modifier (-1: none):
/// - bool, int2, int4, int8, oid, float4, float8, date, bytea: the same in Arrow;
/// - time and timestamp in microseconds, timestamptz in microseconds, UTC;
/// - numeric(p,s) with 0 ≤ s ≤ p ≤ 76: decimal128 or decimal256; any other numeric, and money: text
///   that spells the number exactly;
/// - text, varchar, char(n), name, json, jsonb, uuid, xml and enums: text;
/// - everything else (arrays, intervals, ranges, network addresses, composites …): the text that
///   PostgreSQL itself makes of it; intervals in ISO 8601 (see QueryReader).
Column ColumnOf(std::string name, uint32_t type, int32_t modifier, std::string type_name,
                bool is_enum);

std::shared_ptr<arrow::Schema> SchemaOf(const std::vector<Column>& columns);

}  // namespace spillway::postgres_source
