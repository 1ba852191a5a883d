#include "format/row/column_binder.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include <arrow/api.h>

#include "batch/number_text.h"
#include "format/row/type_match.h"

namespace spillway::format {
namespace {

struct FixedText {
  Kind kind;
  uint8_t width;
  uint32_t bytes_max;
};

// Types whose text needs no more than a number of bytes.
std::optional<FixedText> FixedTextOf(arrow::Type::type type) {
  switch (type) {
    case arrow::Type::NA:
      return FixedText{Kind::kAbsent, 0, 0};
    case arrow::Type::BOOL:
      return FixedText{Kind::kBoolean, 0, 5};
    case arrow::Type::INT8:
      return FixedText{Kind::kInt8, 1, 4};
    case arrow::Type::INT16:
      return FixedText{Kind::kInt16, 2, 6};
    case arrow::Type::INT32:
      return FixedText{Kind::kInt32, 4, 11};
    case arrow::Type::INT64:
      return FixedText{Kind::kInt64, 8, 20};
    case arrow::Type::UINT8:
      return FixedText{Kind::kUint8, 1, 3};
    case arrow::Type::UINT16:
      return FixedText{Kind::kUint16, 2, 5};
    case arrow::Type::UINT32:
      return FixedText{Kind::kUint32, 4, 10};
    case arrow::Type::UINT64:
      return FixedText{Kind::kUint64, 8, 20};
    case arrow::Type::HALF_FLOAT:
      return FixedText{Kind::kHalfFloat, 2, 32};
    case arrow::Type::FLOAT:
      return FixedText{Kind::kFloat, 4, 32};
    case arrow::Type::DOUBLE:
      return FixedText{Kind::kDouble, 8, 32};
    case arrow::Type::DATE32:
      return FixedText{Kind::kDate, 4, InstantText::kBytesMax};
    default:
      return std::nullopt;
  }
}

Kind InstantKind(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return Kind::kSecond;
    case arrow::TimeUnit::MILLI:
      return Kind::kMillisecond;
    case arrow::TimeUnit::MICRO:
      return Kind::kMicrosecond;
    default:
      return Kind::kNanosecond;
  }
}

int32_t UnitsPerSecond(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1'000;
    case arrow::TimeUnit::MICRO:
      return 1'000'000;
    default:
      return 1'000'000'000;
  }
}

bool IsTime(Kind kind) { return kind >= Kind::kDate && kind <= Kind::kTimeOfDay; }

template <class Offset>
uint64_t BytesBetween(const Column& column, int64_t begin, int64_t end) {
  const auto* offsets = static_cast<const Offset*>(column.values);
  return static_cast<uint64_t>(offsets[end] - offsets[begin]);
}

}  // namespace

ColumnBinder::ColumnBinder(ColumnBinder&&) noexcept = default;
ColumnBinder& ColumnBinder::operator=(ColumnBinder&&) noexcept = default;
ColumnBinder::~ColumnBinder() = default;

Result<ColumnBinder> ColumnBinder::Make(const arrow::Field& field, uint32_t index, const Zone& zone,
                                        QuotedValues quoted) {
  ColumnBinder binder;
  binder.column_.index = index;
  binder.field_ = field.Copy();
  binder.zone_ = &zone;
  binder.quoted_ = quoted;
  TRY(binder.Adapt(field.type()));
  return binder;
}

Result<> ColumnBinder::Adapt(const std::shared_ptr<arrow::DataType>& type) {
  if (type == bound_type_ || (bound_type_ != nullptr && type->Equals(*bound_type_))) return {};
  if (!ReadsAlike(*type, *field_->type())) {
    return Fail(ErrorCode::kInvalidArgument, "column \"" + field_->name() + "\": a batch of " +
                                                 type->ToString() + " for a file of " +
                                                 field_->type()->ToString());
  }
  dictionary_.reset();
  dictionary_data_.reset();
  TRY(BindType(*field_, *type, *zone_, quoted_));
  bound_type_ = type;
  return {};
}

Result<> ColumnBinder::BindType(const arrow::Field& field, const arrow::DataType& type,
                                const Zone& zone, QuotedValues quoted) {
  Column& column = column_;
  column.quoted = quoted == QuotedValues::kAll;
  if (const auto fixed = FixedTextOf(type.id())) {
    column.kind = fixed->kind;
    column.width = fixed->width;
    fixed_bytes_max_ = fixed->bytes_max;
  } else if (arrow::is_decimal(type.id())) {
    const auto& decimal = static_cast<const arrow::DecimalType&>(type);
    SetDecimal(decimal.precision(), decimal.scale(), decimal.byte_width());
  } else if (type.id() == arrow::Type::STRING && batch::IsNumberText(field)) {
    column.kind = Kind::kNumberText;
  } else if (type.id() == arrow::Type::STRING || type.id() == arrow::Type::LARGE_STRING) {
    column.kind = type.id() == arrow::Type::STRING ? Kind::kString : Kind::kLargeString;
  } else if (type.id() == arrow::Type::BINARY || type.id() == arrow::Type::LARGE_BINARY) {
    column.kind = type.id() == arrow::Type::BINARY ? Kind::kBinary : Kind::kLargeBinary;
  } else if (type.id() == arrow::Type::FIXED_SIZE_BINARY) {
    column.kind = Kind::kFixedBinary;
    column.scale = static_cast<const arrow::FixedSizeBinaryType&>(type).byte_width();
    fixed_bytes_max_ = static_cast<uint32_t>(column.scale / 3 * 4 + 8);
  } else if (type.id() == arrow::Type::TIMESTAMP) {
    const auto& timestamp = static_cast<const arrow::TimestampType&>(type);
    column.kind = InstantKind(timestamp.unit());
    column.width = 8;
    column.scale = UnitsPerSecond(timestamp.unit());
    fixed_bytes_max_ = InstantText::kBytesMax;
  } else if (type.id() == arrow::Type::DATE64) {
    return Fail(ErrorCode::kUnsupported,
                "column \"" + field.name() + "\": no text for type date64; use date32");
  } else if (type.id() == arrow::Type::TIME32 || type.id() == arrow::Type::TIME64) {
    const auto& time = static_cast<const arrow::TimeType&>(type);
    column.kind = Kind::kTimeOfDay;
    column.width = static_cast<uint8_t>(time.bit_width() / 8);
    column.scale = UnitsPerSecond(time.unit());
    fixed_bytes_max_ = InstantText::kBytesMax;
  } else if (type.id() == arrow::Type::DICTIONARY) {
    const auto& dictionary = static_cast<const arrow::DictionaryType&>(type);
    dictionary_ = std::unique_ptr<ColumnBinder>(new ColumnBinder);
    dictionary_->column_.index = column.index;
    TRY(dictionary_->BindType(field, *dictionary.value_type(), zone, quoted));
    if (dictionary_->dictionary_ != nullptr) {
      return Fail(ErrorCode::kUnsupported,
                  "column \"" + field.name() + "\": a dictionary of dictionaries");
    }
    column.width = static_cast<uint8_t>(dictionary.bit_width() / 8);
    column.kind = column.width == 1   ? Kind::kEntry8
                  : column.width == 2 ? Kind::kEntry16
                  : column.width == 4 ? Kind::kEntry32
                                      : Kind::kEntry64;
  } else {
    return Fail(ErrorCode::kUnsupported, "column \"" + field.name() + "\": no text for type " +
                                             type.ToString() + "; leave the column out");
  }
  if (IsTime(column.kind)) {
    column.quoted = quoted != QuotedValues::kNone;
    const bool zoned = type.id() == arrow::Type::TIMESTAMP &&
                       !static_cast<const arrow::TimestampType&>(type).timezone().empty();
    instants_ = std::make_unique<InstantText>(zoned ? &zone : nullptr, std::max(column.scale, 1),
                                              column.quoted);
    column.instants = instants_.get();
  }
  return {};
}

void ColumnBinder::SetDecimal(int32_t precision, int32_t scale, int width) {
  column_.kind = precision <= 18 ? Kind::kDecimal : Kind::kWideDecimal;
  column_.width = static_cast<uint8_t>(width);
  column_.scale = scale;
  fixed_bytes_max_ = static_cast<uint32_t>(width * 5 / 2 + 24 + std::abs(scale));
}

void ColumnBinder::SetPrefix(std::string_view prefix) {
  prefix_.assign(prefix);
  prefix_.resize(prefix.size() + Buffer::kSlack);
  column_.prefix = prefix_.data();
  column_.prefix_bytes = static_cast<uint32_t>(prefix.size());
}

void ColumnBinder::Bind(const arrow::ArrayData& data) {
  column_.offset = data.offset;
  column_.validity =
      column_.kind != Kind::kAbsent && data.GetNullCount() != 0 ? data.buffers[0]->data() : nullptr;
  if (column_.kind == Kind::kAbsent || data.length == 0) return;
  const uint8_t* values = data.buffers[1]->data();
  switch (column_.kind) {
    case Kind::kBoolean:
      break;  // by `offset`
    case Kind::kString:
    case Kind::kNumberText:
    case Kind::kBinary:
      values += data.offset * 4;
      break;
    case Kind::kLargeString:
    case Kind::kLargeBinary:
      values += data.offset * 8;
      break;
    case Kind::kFixedBinary:
      values += data.offset * column_.scale;
      break;
    default:
      values += data.offset * std::max<int64_t>(column_.width, 1);
  }
  column_.values = values;
  if (data.buffers.size() > 2) {
    column_.bytes = data.buffers[2] == nullptr
                        ? nullptr
                        : reinterpret_cast<const char*>(data.buffers[2]->data());
  }
}

uint64_t ColumnBinder::TextBytesMax(int64_t begin, int64_t end, size_t growth,
                                    size_t around) const {
  const auto rows = static_cast<uint64_t>(end - begin);
  const uint64_t fixed = rows * (around + column_.prefix_bytes);
  switch (column_.kind) {
    case Kind::kString:
    case Kind::kNumberText:
      return fixed + growth * BytesBetween<int32_t>(column_, begin, end);
    case Kind::kLargeString:
      return fixed + growth * BytesBetween<int64_t>(column_, begin, end);
    case Kind::kBinary:
      return fixed + 4 * rows + 2 * BytesBetween<int32_t>(column_, begin, end);
    case Kind::kLargeBinary:
      return fixed + 4 * rows + 2 * BytesBetween<int64_t>(column_, begin, end);
    case Kind::kEntry8:
    case Kind::kEntry16:
    case Kind::kEntry32:
    case Kind::kEntry64:
      return fixed + rows * entry_bytes_max_;
    default:
      return fixed + rows * fixed_bytes_max_;
  }
}

bool ColumnBinder::DictionaryChanged(const arrow::ArrayData& data) const {
  return data.dictionary != dictionary_data_;
}

void ColumnBinder::SetDictionaryText(std::shared_ptr<arrow::ArrayData> dictionary, Buffer text,
                                     std::vector<uint32_t> starts) {
  dictionary_data_ = std::move(dictionary);
  text_ = std::move(text);
  starts_ = std::move(starts);
  entry_bytes_max_ = 0;
  for (size_t i = 1; i < starts_.size(); ++i)
    entry_bytes_max_ = std::max(entry_bytes_max_, starts_[i] - starts_[i - 1]);
  column_.bytes = text_.data();
  column_.starts = starts_.data();
}

}  // namespace spillway::format
