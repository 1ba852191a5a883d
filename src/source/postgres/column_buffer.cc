#include "source/postgres/column_buffer.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <arrow/api.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>
#include <simdjson.h>

#include "source/postgres/wire.h"

namespace spillway::postgres_source {
namespace {

// PostgreSQL counts from 2000-01-01, Arrow from 1970-01-01.
constexpr int32_t kEpochDays = 10'957;
constexpr int64_t kEpochMicroseconds = 946'684'800'000'000;
constexpr int64_t kDayMicroseconds = 86'400'000'000;
constexpr size_t kUuidBytes = 16;
constexpr size_t kUuidText = 36;
constexpr char kJsonbVersion = 1;
constexpr size_t kTextMin = 64 << 10;

bool HasText(Encoding encoding) {
  return encoding == Encoding::kText || encoding == Encoding::kBinary ||
         encoding == Encoding::kUuid || encoding == Encoding::kJsonb;
}

template <class T>
Problem Copy(T* values, int64_t row, std::string_view value) {
  if (value.size() != sizeof(T)) return Problem::kLength;
  values[row] = LoadBigEndian<T>(value.data());
  return Problem::kNone;
}

bool StartsWithinCharacter(char byte) { return (static_cast<uint8_t>(byte) & 0xC0U) == 0x80U; }

}  // namespace

ColumnBuffer::ColumnBuffer(const Column& column)
    : type_(column.arrow_type),
      encoding_(column.encoding),
      has_text_(HasText(column.encoding)),
      width_(has_text_ ? static_cast<int32_t>(sizeof(int32_t)) : type_->byte_width()) {
  if (arrow::is_decimal(type_->id())) {
    const auto& decimal = static_cast<const arrow::DecimalType&>(*type_);
    precision_ = decimal.precision();
    scale_ = decimal.scale();
  }
}

ColumnBuffer::ColumnBuffer(ColumnBuffer&&) noexcept = default;
ColumnBuffer& ColumnBuffer::operator=(ColumnBuffer&&) noexcept = default;
ColumnBuffer::~ColumnBuffer() = default;

Result<> ColumnBuffer::Begin(int64_t rows) {
  const bool bits = encoding_ == Encoding::kBool;
  const int64_t bitmap = arrow::bit_util::BytesForBits(rows);
  const int64_t bytes = bits ? bitmap : (rows + (has_text_ ? 1 : 0)) * width_;
  auto values = arrow::AllocateResizableBuffer(bytes);
  auto validity = arrow::AllocateResizableBuffer(bitmap);
  auto text = arrow::AllocateResizableBuffer(has_text_ ? std::max(text_capacity_, kTextMin) : 0);
  if (!values.ok() || !validity.ok() || !text.ok())
    return Fail(ErrorCode::kOutOfSpace, "no memory for a batch of rows");
  values_buffer_ = *std::move(values);
  validity_buffer_ = *std::move(validity);
  text_buffer_ = *std::move(text);
  values_ = values_buffer_->mutable_data();
  validity_ = validity_buffer_->mutable_data();
  text_ = reinterpret_cast<char*>(text_buffer_->mutable_data());
  text_capacity_ = static_cast<size_t>(text_buffer_->size());
  std::memset(validity_, 0xFF, static_cast<size_t>(bitmap));
  if (bits) std::memset(values_, 0, static_cast<size_t>(bytes));
  if (has_text_) this->values<int32_t>()[0] = 0;
  return {};
}

void ColumnBuffer::WriteNull(int64_t row) {
  arrow::bit_util::ClearBit(validity_, row);
  if (has_text_) {
    values<int32_t>()[row + 1] = values<int32_t>()[row];
  } else if (encoding_ != Encoding::kBool) {
    std::memset(values_ + row * width_, 0, static_cast<size_t>(width_));
  }
}

void ColumnBuffer::Rewind(int64_t row) { arrow::bit_util::SetBit(validity_, row); }

Problem ColumnBuffer::Write(int64_t row, std::string_view value) {
  switch (encoding_) {
    case Encoding::kBool:
      if (value.size() != 1) return Problem::kLength;
      arrow::bit_util::SetBitTo(values_, row, value.front() != 0);
      return Problem::kNone;
    case Encoding::kInt16:
      return Copy(values<int16_t>(), row, value);
    case Encoding::kInt32:
    case Encoding::kOid:
    case Encoding::kFloat:  // The bits are what counts.
      return Copy(values<int32_t>(), row, value);
    case Encoding::kInt64:
    case Encoding::kDouble:
      return Copy(values<int64_t>(), row, value);
    case Encoding::kDate:
      return WriteDate(row, value);
    case Encoding::kTime:
      return WriteTime(row, value);
    case Encoding::kTimestamp:
    case Encoding::kInstant:
      return WriteTimestamp(row, value);
    case Encoding::kSmallDecimal:
      return DecodeSmallDecimal(value, precision_, scale_, values_ + row * width_);
    case Encoding::kDecimal:
      return DecodeDecimal(value, precision_, scale_, values_ + row * width_);
    case Encoding::kLargeDecimal:
      return DecodeLargeDecimal(value, precision_, scale_, values_ + row * width_);
    case Encoding::kText:
    case Encoding::kBinary:
      return WriteText(row, value);
    case Encoding::kUuid:
      return WriteUuid(row, value);
    case Encoding::kJsonb:
      if (value.empty()) return Problem::kLength;
      if (value.front() != kJsonbVersion) return Problem::kMalformed;
      return WriteText(row, value.substr(1));
  }
  return Problem::kMalformed;
}

Problem ColumnBuffer::WriteDate(int64_t row, std::string_view value) {
  if (value.size() != sizeof(int32_t)) return Problem::kLength;
  const auto days = LoadBigEndian<int32_t>(value.data());
  using Limits = std::numeric_limits<int32_t>;
  if (days == Limits::max() || days == Limits::min()) return Problem::kInfinity;
  if (__builtin_add_overflow(days, kEpochDays, &values<int32_t>()[row])) return Problem::kRange;
  return Problem::kNone;
}

Problem ColumnBuffer::WriteTime(int64_t row, std::string_view value) {
  if (const Problem problem = Copy(values<int64_t>(), row, value); problem != Problem::kNone)
    return problem;
  const int64_t time = values<int64_t>()[row];
  return time >= 0 && time < kDayMicroseconds ? Problem::kNone : Problem::kRange;  // 24:00:00
}

Problem ColumnBuffer::WriteTimestamp(int64_t row, std::string_view value) {
  if (value.size() != sizeof(int64_t)) return Problem::kLength;
  const auto time = LoadBigEndian<int64_t>(value.data());
  using Limits = std::numeric_limits<int64_t>;
  if (time == Limits::max() || time == Limits::min()) return Problem::kInfinity;
  if (__builtin_add_overflow(time, kEpochMicroseconds, &values<int64_t>()[row]))
    return Problem::kRange;
  return Problem::kNone;
}

char* ColumnBuffer::Extend(int64_t row, size_t bytes) {
  auto* offsets = values<int32_t>();
  const auto begin = static_cast<size_t>(offsets[row]);
  const size_t end = begin + bytes;
  if (end > text_capacity_) {
    if (end > static_cast<size_t>(std::numeric_limits<int32_t>::max())) return nullptr;
    const size_t capacity = std::max(end, text_capacity_ * 2);
    if (!text_buffer_->Resize(static_cast<int64_t>(capacity), /*shrink_to_fit=*/false).ok())
      return nullptr;
    text_ = reinterpret_cast<char*>(text_buffer_->mutable_data());
    text_capacity_ = capacity;
  }
  offsets[row + 1] = static_cast<int32_t>(end);
  return text_ + begin;
}

Problem ColumnBuffer::WriteText(int64_t row, std::string_view text) {
  char* to = Extend(row, text.size());
  if (to == nullptr) return Problem::kRange;
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return Problem::kNone;
}

Problem ColumnBuffer::WriteUuid(int64_t row, std::string_view value) {
  constexpr std::string_view kHexadecimal = "0123456789abcdef";
  if (value.size() != kUuidBytes) return Problem::kLength;
  char* to = Extend(row, kUuidText);
  if (to == nullptr) return Problem::kRange;
  for (size_t i = 0; i < kUuidBytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
    const auto byte = static_cast<uint8_t>(value[i]);
    *to++ = kHexadecimal[byte >> 4U];
    *to++ = kHexadecimal[byte & 0xFU];
  }
  return Problem::kNone;
}

size_t ColumnBuffer::text_bytes(int64_t rows) const {
  return has_text_ ? static_cast<size_t>(values<int32_t>()[rows]) : 0;
}

int64_t ColumnBuffer::FirstInvalidText(int64_t rows) const {
  if (encoding_ != Encoding::kText && encoding_ != Encoding::kJsonb) return -1;
  const auto* offsets = values<int32_t>();
  bool valid = simdjson::validate_utf8(text_, static_cast<size_t>(offsets[rows]));
  for (int64_t row = 0; valid && row < rows; ++row)
    valid = offsets[row] == offsets[row + 1] || !StartsWithinCharacter(text_[offsets[row]]);
  if (valid) return -1;
  for (int64_t row = 0; row < rows; ++row) {
    const auto bytes = static_cast<size_t>(offsets[row + 1] - offsets[row]);
    if (!simdjson::validate_utf8(text_ + offsets[row], bytes)) return row;
  }
  return -1;
}

std::shared_ptr<arrow::Array> ColumnBuffer::Take(int64_t rows) {
  const int64_t nulls = rows - arrow::internal::CountSetBits(validity_, 0, rows);
  std::vector<std::shared_ptr<arrow::Buffer>> buffers;
  buffers.push_back(nulls == 0 ? nullptr : std::shared_ptr(std::move(validity_buffer_)));
  buffers.push_back(std::move(values_buffer_));
  if (has_text_) {
    // The next batch will likely need as much.
    text_capacity_ = std::max(text_bytes(rows) * 5 / 4, kTextMin);
    buffers.push_back(std::move(text_buffer_));
  }
  return arrow::MakeArray(arrow::ArrayData::Make(type_, rows, std::move(buffers), nulls));
}

}  // namespace spillway::postgres_source
