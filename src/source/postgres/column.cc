#include "source/postgres/column.h"

#include <utility>

#include <arrow/api.h>

#include "batch/number_text.h"

namespace spillway::postgres_source {
namespace {

// pg_type.dat: these OIDs never change.
constexpr uint32_t kMoney = 790;
constexpr uint32_t kNumeric = 1700;
constexpr int32_t kModifierHeader = 4;

struct Numeric {
  int32_t precision;
  int32_t scale;
};

// numeric.c: (precision << 16 | 11 bits of signed scale) + VARHDRSZ.
Numeric NumericOf(int32_t modifier) {
  const int32_t bits = modifier - kModifierHeader;
  return {.precision = (bits >> 16) & 0xFFFF, .scale = ((bits & 0x7FF) ^ 0x400) - 0x400};
}

bool IsDecimal(Numeric numeric) {
  return numeric.precision >= 1 && numeric.precision <= arrow::Decimal256Type::kMaxPrecision &&
         numeric.scale >= 0 && numeric.scale <= numeric.precision;
}

void SetDecimal(Numeric numeric, Column& column) {
  if (numeric.precision > arrow::Decimal128Type::kMaxPrecision) {
    column.encoding = Encoding::kLargeDecimal;
    column.arrow_type = arrow::decimal256(numeric.precision, numeric.scale);
    return;
  }
  column.encoding = numeric.precision <= 18 ? Encoding::kSmallDecimal : Encoding::kDecimal;
  column.arrow_type = arrow::decimal128(numeric.precision, numeric.scale);
}

struct Known {
  uint32_t type;
  Encoding encoding;
  std::shared_ptr<arrow::DataType> arrow_type;
};

std::vector<Known> KnownTypes() {
  const auto micro = arrow::TimeUnit::MICRO;
  return {{16, Encoding::kBool, arrow::boolean()},
          {17, Encoding::kBinary, arrow::binary()},
          {19, Encoding::kText, arrow::utf8()},  // name
          {20, Encoding::kInt64, arrow::int64()},
          {21, Encoding::kInt16, arrow::int16()},
          {23, Encoding::kInt32, arrow::int32()},
          {25, Encoding::kText, arrow::utf8()},  // text
          {26, Encoding::kOid, arrow::uint32()},
          {114, Encoding::kText, arrow::utf8()},  // json
          // xml: as it is sent, in the client's encoding and without naming another. Its cast to
          // text keeps the encoding that its author declared.
          {142, Encoding::kText, arrow::utf8()},
          {700, Encoding::kFloat, arrow::float32()},
          {701, Encoding::kDouble, arrow::float64()},
          {705, Encoding::kText, arrow::utf8()},   // unknown
          {1042, Encoding::kText, arrow::utf8()},  // char(n)
          {1043, Encoding::kText, arrow::utf8()},  // varchar
          {1082, Encoding::kDate, arrow::date32()},
          {1083, Encoding::kTime, arrow::time64(micro)},
          {1114, Encoding::kTimestamp, arrow::timestamp(micro)},
          {1184, Encoding::kInstant, arrow::timestamp(micro, "UTC")},
          {2950, Encoding::kUuid, arrow::utf8()},
          {3802, Encoding::kJsonb, arrow::utf8()}};
}

}  // namespace

Column ColumnOf(std::string name, uint32_t type, int32_t modifier, std::string type_name,
                bool is_enum) {
  Column column{.name = std::move(name),
                .type = type,
                .modifier = modifier,
                .type_name = std::move(type_name),
                .is_enum = is_enum,
                .encoding = Encoding::kText,
                .cast_to_text = false,
                .is_number_text = false,
                .arrow_type = arrow::utf8()};
  if (is_enum) return column;
  if (type == kNumeric && modifier >= kModifierHeader && IsDecimal(NumericOf(modifier))) {
    SetDecimal(NumericOf(modifier), column);
    return column;
  }
  for (const Known& known : KnownTypes()) {
    if (known.type != type) continue;
    column.encoding = known.encoding;
    column.arrow_type = known.arrow_type;
    return column;
  }
  column.cast_to_text = true;
  column.is_number_text = type == kNumeric || type == kMoney;
  return column;
}

std::shared_ptr<arrow::Schema> SchemaOf(const std::vector<Column>& columns) {
  arrow::FieldVector fields;
  fields.reserve(columns.size());
  for (const Column& column : columns) {
    fields.push_back(column.is_number_text ? batch::NumberTextField(column.name)
                                           : arrow::field(column.name, column.arrow_type));
  }
  return arrow::schema(std::move(fields));
}

}  // namespace spillway::postgres_source
