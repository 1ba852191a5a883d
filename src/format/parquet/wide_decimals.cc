#include "format/parquet/wide_decimals.h"

#include <string>
#include <string_view>

#include <arrow/api.h>

#include "format/row/values.h"

namespace spillway::format {

bool IsWideDecimal(const arrow::DataType& type) {
  return type.id() == arrow::Type::DECIMAL256 &&
         static_cast<const arrow::Decimal256Type&>(type).precision() >
             arrow::Decimal128Type::kMaxPrecision;
}

arrow::Result<std::shared_ptr<arrow::Array>> WideDecimalsAsText(const arrow::Array& decimals) {
  const auto& values = static_cast<const arrow::Decimal256Array&>(decimals);
  const auto& type = static_cast<const arrow::Decimal256Type&>(*decimals.type());
  Column column;
  column.width = static_cast<uint8_t>(type.byte_width());
  column.scale = type.scale();
  column.values = values.raw_values();
  // Every digit, a sign, a point, a zero before it, and the room that writers may use.
  std::string text(static_cast<size_t>(type.precision()) + 32, '\0');
  arrow::StringBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(values.length()));
  for (int64_t row = 0; row < values.length(); ++row) {
    if (values.IsNull(row)) {
      builder.UnsafeAppendNull();
      continue;
    }
    const char* end = WriteWideDecimal(column, row, text.data());
    ARROW_RETURN_NOT_OK(builder.Append(std::string_view(text.data(), end)));
  }
  return builder.Finish();
}

}  // namespace spillway::format
