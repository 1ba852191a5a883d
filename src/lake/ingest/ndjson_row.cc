#include "lake/ingest/ndjson_row.h"

#include <algorithm>
#include <optional>

#include <arrow/api.h>
#include <fmt/format.h>

namespace spillway::lake {
namespace {

using Kind = RowLayout::Kind;

/// Rows of one tile stay in the cache while every column takes its part.
constexpr size_t kTileRows = 512;

std::optional<Kind> KindOf(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
      return Kind::kBool;
    case arrow::Type::INT64:
      return Kind::kInt64;
    case arrow::Type::DOUBLE:
      return Kind::kDouble;
    case arrow::Type::DECIMAL128:
      return Kind::kDecimal;
    case arrow::Type::DATE32:
      return Kind::kDate;
    case arrow::Type::STRING:
      return Kind::kString;
    case arrow::Type::TIMESTAMP:
      if (static_cast<const arrow::TimestampType&>(type).unit() != arrow::TimeUnit::MICRO) {
        return std::nullopt;
      }
      return Kind::kTime;
    default:
      return std::nullopt;
  }
}

Error FromArrow(const arrow::Status& status) {
  return {.code = status.IsOutOfMemory() ? ErrorCode::kOutOfSpace : ErrorCode::kInternal,
          .message = status.ToString()};
}

/// Asks for a row's memory before it is needed.
void Prefetch(const char* row) {
  constexpr size_t kCacheLine = 64;
  constexpr size_t kLines = 6;
  for (size_t line = 0; line < kLines; ++line) __builtin_prefetch(row + line * kCacheLine);
}

/// How many bytes of strings each column of the rows has.
std::vector<int64_t> StringBytes(const RowLayout& layout, std::span<const char* const> rows) {
  constexpr size_t kAhead = 8;
  std::vector<int64_t> bytes(layout.columns().size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i + kAhead < rows.size()) Prefetch(rows[i + kAhead]);
    for (size_t column = 0; column < bytes.size(); ++column) {
      if (layout.columns()[column].kind != Kind::kString) continue;
      bytes[column] += Load<StringSlot>(rows[i] + layout.columns()[column].offset).bytes;
    }
  }
  return bytes;
}

/// Appends each row's value, or null, through `append(builder, row)`.
template <class Builder, class AppendValue>
void AppendColumn(arrow::ArrayBuilder& any, std::span<const char* const> rows, uint32_t null_byte,
                  uint8_t null_bit, AppendValue append) {
  auto& builder = static_cast<Builder&>(any);
  for (const char* row : rows) {
    if (row[null_byte] & null_bit) {
      builder.UnsafeAppendNull();
    } else {
      append(builder, row);
    }
  }
}

void AppendTile(const RowLayout& layout, size_t index, std::span<const char* const> rows,
                arrow::ArrayBuilder& builder) {
  const RowLayout::Column& column = layout.columns()[index];
  const uint32_t at = column.offset;
  const uint32_t null_byte = layout.null_offset() + static_cast<uint32_t>(index / 8);
  const auto null_bit = static_cast<uint8_t>(1U << (index % 8));
  switch (column.kind) {
    case Kind::kBool:
      AppendColumn<arrow::BooleanBuilder>(
          builder, rows, null_byte, null_bit,
          [at](auto& into, const char* row) { into.UnsafeAppend(Load<int64_t>(row + at) != 0); });
      break;
    case Kind::kInt64:
      AppendColumn<arrow::Int64Builder>(
          builder, rows, null_byte, null_bit,
          [at](auto& into, const char* row) { into.UnsafeAppend(Load<int64_t>(row + at)); });
      break;
    case Kind::kTime:
      AppendColumn<arrow::TimestampBuilder>(
          builder, rows, null_byte, null_bit,
          [at](auto& into, const char* row) { into.UnsafeAppend(Load<int64_t>(row + at)); });
      break;
    case Kind::kDate:
      AppendColumn<arrow::Date32Builder>(
          builder, rows, null_byte, null_bit, [at](auto& into, const char* row) {
            into.UnsafeAppend(static_cast<int32_t>(Load<int64_t>(row + at)));
          });
      break;
    case Kind::kDouble:
      AppendColumn<arrow::DoubleBuilder>(
          builder, rows, null_byte, null_bit,
          [at](auto& into, const char* row) { into.UnsafeAppend(Load<double>(row + at)); });
      break;
    case Kind::kDecimal:
      AppendColumn<arrow::Decimal128Builder>(
          builder, rows, null_byte, null_bit, [at](auto& into, const char* row) {
            const auto value = Load<__int128>(row + at);
            into.UnsafeAppend(
                arrow::Decimal128(static_cast<int64_t>(value >> 64), static_cast<uint64_t>(value)));
          });
      break;
    case Kind::kString:
      AppendColumn<arrow::StringBuilder>(
          builder, rows, null_byte, null_bit, [at](auto& into, const char* row) {
            const auto slot = Load<StringSlot>(row + at);
            into.UnsafeAppend(row + slot.offset, static_cast<int32_t>(slot.bytes));
          });
      break;
  }
}

}  // namespace

Result<RowLayout> RowLayout::Of(const LakeSchema& schema) {
  RowLayout layout;
  const int time = schema.columns->GetFieldIndex(schema.time_column);
  if (time < 0) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the lake's columns do not hold its time column {:?}", schema.time_column));
  }
  layout.time_column_ = static_cast<size_t>(time);
  const auto columns = static_cast<size_t>(schema.columns->num_fields());
  layout.null_offset_ = sizeof(RowHeader);
  layout.fixed_bytes_ = layout.null_offset_ + static_cast<uint32_t>((columns + 63) / 64 * 8);
  for (const auto& field : schema.columns->fields()) {
    const auto kind = KindOf(*field->type());
    if (!kind || (layout.columns_.size() == layout.time_column_ && *kind != Kind::kTime)) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("column {:?} has type {}; messages can have utf8, int64, double, bool, "
                      "date32, decimal128 and timestamp[us]{}",
                      field->name(), field->type()->ToString(),
                      kind ? ", and the time column only the last" : ""));
    }
    Column column{.name = field->name(), .kind = *kind, .offset = layout.fixed_bytes_};
    if (*kind == Kind::kDecimal) {
      const auto& type = static_cast<const arrow::Decimal128Type&>(*field->type());
      column.precision = type.precision();
      column.scale = type.scale();
    }
    layout.fixed_bytes_ += *kind == Kind::kDecimal ? sizeof(__int128) : sizeof(int64_t);
    layout.columns_.push_back(std::move(column));
  }
  return layout;
}

Result<std::shared_ptr<arrow::RecordBatch>> RowsToBatch(
    const RowLayout& layout, const std::shared_ptr<arrow::Schema>& schema,
    std::span<const char* const> rows) {
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders;
  for (size_t i = 0; i < layout.columns().size(); ++i) {
    auto builder = arrow::MakeBuilder(schema->field(static_cast<int>(i))->type());
    if (!builder.ok()) return std::unexpected(FromArrow(builder.status()));
    builders.push_back(std::move(builder).ValueUnsafe());
    auto reserved = builders.back()->Reserve(static_cast<int64_t>(rows.size()));
    if (!reserved.ok()) return std::unexpected(FromArrow(reserved));
  }
  for (size_t begin = 0; begin < rows.size(); begin += kTileRows) {
    const auto tile = rows.subspan(begin, std::min(kTileRows, rows.size() - begin));
    const std::vector<int64_t> bytes = StringBytes(layout, tile);
    for (size_t i = 0; i < builders.size(); ++i) {
      if (layout.columns()[i].kind == Kind::kString) {
        auto reserved = static_cast<arrow::StringBuilder&>(*builders[i]).ReserveData(bytes[i]);
        if (!reserved.ok()) return std::unexpected(FromArrow(reserved));
      }
      AppendTile(layout, i, tile, *builders[i]);
    }
  }
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const auto& builder : builders) {
    auto array = builder->Finish();
    if (!array.ok()) return std::unexpected(FromArrow(array.status()));
    arrays.push_back(std::move(array).ValueUnsafe());
  }
  return arrow::RecordBatch::Make(schema, static_cast<int64_t>(rows.size()), std::move(arrays));
}

}  // namespace spillway::lake
