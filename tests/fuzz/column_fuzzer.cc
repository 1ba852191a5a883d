// Any bytes as the pages of a Parquet column: no crash, and the values that Arrow's own reader
// finds in them, however they are read. The reader of the lake may refuse more (kUnsupported); where
// only Arrow finds an error, nothing is asked of it yet.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <parquet/column_reader.h>
#include <parquet/exception.h>
#include <parquet/properties.h>

#include "lake/column/column_reader.h"

namespace spillway::lake {
namespace {

void Require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

/// A column as a file and as a lake have it.
struct Kind {
  parquet::Type::type stored;
  std::shared_ptr<arrow::DataType> type;
  int bytes = -1;  ///< Of each stored value, for FIXED_LEN_BYTE_ARRAY.
};

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kKinds = {
      {parquet::Type::BOOLEAN, arrow::boolean()},
      {parquet::Type::INT32, arrow::int32()},
      {parquet::Type::INT64, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")},
      {parquet::Type::DOUBLE, arrow::float64()},
      {parquet::Type::BYTE_ARRAY, arrow::utf8()},
      {parquet::Type::INT64, arrow::decimal128(18, 4)},
      {parquet::Type::FIXED_LEN_BYTE_ARRAY, arrow::decimal128(20, 4), 9},
  };
  return kKinds;
}

/// What the first bytes of an input say; the others are the pages.
struct Input {
  const Kind* kind = nullptr;
  bool nullable = false;
  parquet::Compression::type compression = parquet::Compression::UNCOMPRESSED;
  int64_t rows = 0;
  int64_t rows_at_once = 0;
  std::span<const uint8_t> pages;
};

Input InputOf(std::span<const uint8_t> bytes) {
  constexpr std::array<parquet::Compression::type, 3> kCompressions = {
      parquet::Compression::UNCOMPRESSED, parquet::Compression::SNAPPY, parquet::Compression::ZSTD};
  return {.kind = &Kinds()[bytes[0] % Kinds().size()],
          .nullable = bytes[1] % 2 == 1,
          .compression = kCompressions[bytes[1] / 2 % kCompressions.size()],
          .rows = bytes[2] + bytes[3] * 256 + 1,
          .rows_at_once = bytes[4] + 1,
          .pages = bytes.subspan(5)};
}

/// The values of all rows, absent ones and those of failed reads being null.
using Values = std::optional<std::vector<std::optional<std::string>>>;

template <class T>
std::string BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

/// A stored value as Arrow has it in memory.
template <class Stored>
std::string InMemory(const Kind& kind, const Stored& value) {
  if constexpr (std::is_same_v<Stored, parquet::ByteArray>) {
    return {reinterpret_cast<const char*>(value.ptr), value.len};
  } else if constexpr (std::is_same_v<Stored, parquet::FixedLenByteArray>) {
    return BytesOf(*arrow::Decimal128::FromBigEndian(value.ptr, kind.bytes));
  } else {
    if (kind.type->id() == arrow::Type::DECIMAL128)
      return BytesOf(arrow::Decimal128(static_cast<int64_t>(value)));
    return BytesOf(value);
  }
}

template <class DType>
Values ReadTyped(const Input& input, parquet::ColumnReader& column) {
  auto& reader = static_cast<parquet::TypedColumnReader<DType>&>(column);
  std::vector<std::optional<std::string>> values;
  while (std::ssize(values) < input.rows) {
    int16_t level = 1;
    typename DType::c_type value{};
    int64_t read = 0;
    if (reader.ReadBatch(1, &level, nullptr, &value, &read) != 1) return std::nullopt;
    // Without nulls, Arrow does not touch the level.
    if (level == 1 && read != 1) return std::nullopt;
    values.push_back(level == 1 ? std::optional(InMemory(*input.kind, value)) : std::nullopt);
  }
  return values;
}

Values ReadByArrow(const Input& input, const parquet::ColumnDescriptor& stored) try {
  parquet::ReaderProperties properties;
  properties.set_page_checksum_verification(true);
  auto stream = std::make_shared<arrow::io::BufferReader>(
      std::make_shared<arrow::Buffer>(input.pages.data(), std::ssize(input.pages)));
  const auto codec = input.compression == parquet::Compression::ZSTD ? arrow::Compression::ZSTD
                     : input.compression == parquet::Compression::SNAPPY
                         ? arrow::Compression::SNAPPY
                         : arrow::Compression::UNCOMPRESSED;
  const auto column = parquet::ColumnReader::Make(
      &stored, parquet::PageReader::Open(std::move(stream), input.rows, codec, properties, stored));
  switch (stored.physical_type()) {
    case parquet::Type::BOOLEAN:
      return ReadTyped<parquet::BooleanType>(input, *column);
    case parquet::Type::INT32:
      return ReadTyped<parquet::Int32Type>(input, *column);
    case parquet::Type::INT64:
      return ReadTyped<parquet::Int64Type>(input, *column);
    case parquet::Type::DOUBLE:
      return ReadTyped<parquet::DoubleType>(input, *column);
    case parquet::Type::BYTE_ARRAY:
      return ReadTyped<parquet::ByteArrayType>(input, *column);
    default:
      return ReadTyped<parquet::FLBAType>(input, *column);
  }
} catch (const std::exception&) {
  return std::nullopt;
}

void Append(const arrow::Array& array, std::vector<std::optional<std::string>>& values) {
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) {
      values.emplace_back();
    } else if (array.type_id() == arrow::Type::STRING) {
      values.emplace_back(static_cast<const arrow::StringArray&>(array).GetString(row));
    } else if (array.type_id() == arrow::Type::BOOL) {
      values.emplace_back(BytesOf(static_cast<const arrow::BooleanArray&>(array).Value(row)));
    } else {
      const auto bytes = static_cast<size_t>(array.type()->byte_width());
      const auto* const first = reinterpret_cast<const char*>(array.data()->buffers[1]->data());
      values.emplace_back(std::string(first + static_cast<size_t>(row) * bytes, bytes));
    }
  }
}

struct Ours {
  Values values;
  bool refused = false;
  std::string error;
};

/// Reads in pieces. With `skips`, passes over every other piece, whose values are then absent.
Ours ReadByLake(const Input& input, const parquet::ColumnDescriptor& stored, bool skips) try {
  Decompressor decompressor;
  const auto reader =
      ColumnReader::Make(stored, input.kind->type, {*arrow::default_memory_pool(), decompressor});
  std::vector<std::byte> bytes(input.pages.size() + Scratch::kSlack);
  if (!input.pages.empty()) std::memcpy(bytes.data(), input.pages.data(), input.pages.size());
  constexpr int64_t kUncompressedMax = 1 << 20;
  (*reader)->Start({.bytes = std::span(bytes).first(input.pages.size()),
                    .compression = input.compression,
                    .values = input.rows,
                    .uncompressed_bytes = kUncompressedMax});
  const auto failed = [](const Error& error) {
    return Ours{.refused = error.code == ErrorCode::kUnsupported, .error = error.message};
  };
  std::vector<std::optional<std::string>> values;
  for (int64_t piece = 0; std::ssize(values) < input.rows; ++piece) {
    const int64_t rows = std::min(input.rows_at_once, input.rows - std::ssize(values));
    if (skips && piece % 2 == 1) {
      const Result<> skipped = (*reader)->Skip(rows);
      if (!skipped.has_value()) return failed(skipped.error());
      values.resize(values.size() + static_cast<size_t>(rows));
      continue;
    }
    const auto read = (*reader)->Read(rows);
    if (!read.has_value()) return failed(read.error());
    Require((*read)->Validate().ok() && (*read)->length() == rows, "no valid array");
    Append(**read, values);
  }
  return {.values = std::move(values)};
} catch (const parquet::ParquetException& thrown) {
  return {.error = thrown.what()};  // As SliceReader takes it.
}

bool IsStricter(const Ours& ours) {
  return ours.refused || ours.error == "has more values than rows" ||
         ours.error == "has a page of another length than its header says" ||
         ours.error == "has a page that is longer than its column";
}

void Compare(const Input& input) {
  const auto node = parquet::schema::PrimitiveNode::Make(
      "c", input.nullable ? parquet::Repetition::OPTIONAL : parquet::Repetition::REQUIRED,
      input.kind->stored, parquet::ConvertedType::NONE, input.kind->bytes);
  const parquet::ColumnDescriptor stored(node, input.nullable ? 1 : 0, 0);
  const Values theirs = ReadByArrow(input, stored);
  const Ours ours = ReadByLake(input, stored, false);
  if (IsStricter(ours)) return;
  Require(ours.values.has_value() || !theirs.has_value(), "only Arrow reads it: " + ours.error);
  Require(!theirs.has_value() || ours.values == theirs, "other values than Arrow's");
  if (!ours.values.has_value()) return;
  const Ours skipping = ReadByLake(input, stored, true);
  if (!skipping.values.has_value()) return Require(false, "skipping fails: " + skipping.error);
  for (size_t row = 0; row < ours.values->size(); ++row) {
    const bool read = static_cast<int64_t>(row) / input.rows_at_once % 2 == 0;
    Require(!read || (*skipping.values)[row] == (*ours.values)[row], "other values after a skip");
  }
}

}  // namespace
}  // namespace spillway::lake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 5) return 0;
  spillway::lake::Compare(spillway::lake::InputOf({data, size}));
  return 0;
}
