// Any bytes as the pages of a Parquet column: no crash, and the values that Arrow's own reader
// finds in them, however they are read. Where only one of the two finds an error, IsStricter and
// WhyArrowRefuses say whether it may. At the end of a run it prints how many inputs came to what.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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

struct Reading {
  Values values;
  bool refused = false;  ///< By the lake, though the bytes may be right.
  std::string error;
};

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

/// Reads page by page: in smaller pieces, Arrow 26 passes over indices that are not in the dictionary.
template <class DType>
Values ReadTyped(const Input& input, parquet::ColumnReader& column) {
  using Stored = typename DType::c_type;
  auto& reader = static_cast<parquet::TypedColumnReader<DType>&>(column);
  const auto stored = std::make_unique<Stored[]>(input.rows);
  std::vector<std::optional<std::string>> values;
  while (std::ssize(values) < input.rows) {
    const int64_t left = input.rows - std::ssize(values);
    std::vector<int16_t> levels(left, 1);  // Without nulls, Arrow does not touch them.
    int64_t present = 0;
    levels.resize(reader.ReadBatch(left, levels.data(), nullptr, stored.get(), &present));
    if (levels.empty() || std::ranges::count(levels, 1) != present) return std::nullopt;
    const Stored* next = stored.get();
    for (const int16_t level : levels) {
      values.push_back(level == 1 ? std::optional(InMemory(*input.kind, *next++)) : std::nullopt);
    }
  }
  return values;
}

Reading ReadByArrow(const Input& input, const parquet::ColumnDescriptor& stored) try {
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
      return {.values = ReadTyped<parquet::BooleanType>(input, *column)};
    case parquet::Type::INT32:
      return {.values = ReadTyped<parquet::Int32Type>(input, *column)};
    case parquet::Type::INT64:
      return {.values = ReadTyped<parquet::Int64Type>(input, *column)};
    case parquet::Type::DOUBLE:
      return {.values = ReadTyped<parquet::DoubleType>(input, *column)};
    case parquet::Type::BYTE_ARRAY:
      return {.values = ReadTyped<parquet::ByteArrayType>(input, *column)};
    default:
      return {.values = ReadTyped<parquet::FLBAType>(input, *column)};
  }
} catch (const std::exception& thrown) {
  return {.error = thrown.what()};
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

/// The pages, with the bytes after them that may be read.
class Chunk {
 public:
  explicit Chunk(const Input& input) : input_(input), bytes_(input.pages.size() + Scratch::kSlack) {
    if (!input.pages.empty()) std::memcpy(bytes_.data(), input.pages.data(), input.pages.size());
  }
  ColumnChunk operator*() const {
    constexpr int64_t kUncompressedMax = 1 << 20;
    return {.bytes = std::span(bytes_).first(input_.pages.size()),
            .compression = input_.compression,
            .values = input_.rows,
            .uncompressed_bytes = kUncompressedMax};
  }

 private:
  const Input& input_;
  std::vector<std::byte> bytes_;
};

/// Reads in pieces. With `skips`, passes over every other piece, whose values are then absent.
Reading ReadByLake(const Input& input, const parquet::ColumnDescriptor& stored, bool skips) try {
  Decompressor decompressor;
  const auto reader =
      ColumnReader::Make(stored, input.kind->type, {*arrow::default_memory_pool(), decompressor});
  const Chunk chunk(input);
  (*reader)->Start(*chunk);
  const auto failed = [](const Error& error) {
    return Reading{.refused = error.code == ErrorCode::kUnsupported, .error = error.message};
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

bool IsStricter(const Reading& ours) {
  return ours.refused || ours.error == "has more values than rows" ||
         ours.error == "has a page of another length than its header says" ||
         ours.error == "has a page that is longer than its column";
}

/// Of the hybrid of runs and packed groups.
bool HasRunOfNoLength(std::span<const uint8_t> bytes, uint64_t bit_width) {
  while (!bytes.empty()) {
    uint64_t head = 0;
    size_t at = 0;
    do {
      head |= static_cast<uint64_t>(bytes[at] & 0x7f) << 7 * at;
    } while (bytes[at++] >= 0x80 && at < std::min<size_t>(bytes.size(), 5));
    if (head >> 1 == 0) return true;
    const uint64_t length = (head & 1) != 0 ? (head >> 1) * bit_width : (bit_width + 7) / 8;
    bytes = bytes.subspan(std::min(bytes.size(), at + length));
  }
  return false;
}

/// Why Arrow refuses pages that the lake reads, where that changes no value; otherwise null.
const char* WhyArrowRefuses(const Input& input, std::string_view error) {
  // Arrow brings a zstd of its own. The two do not take the same frames for broken.
  if (error.starts_with("IOError: ZSTD decompression failed")) return "a frame of zstd";
  Decompressor decompressor;
  PageReader pages(decompressor);
  const Chunk chunk(input);
  pages.Start(*chunk);
  Scratch scratch(*arrow::default_memory_pool());
  bool has_dictionary = false;
  bool has_indices = false;
  bool looks_up = false;
  for (int64_t rows = 0; rows < input.rows && pages.Next().value_or(false);) {
    const PageHeader& header = pages.page().header;
    has_dictionary |= header.type == PageHeader::Type::kDictionary;
    if (header.type == PageHeader::Type::kDictionary || header.type == PageHeader::Type::kOther)
      continue;
    // Arrow takes it for the end of the column; DuckDB does not.
    if (header.values == 0) return "a page without values";
    rows += header.values;
    std::span<const uint8_t> values = *pages.Open(pages.page(), scratch);
    std::span<const uint8_t> levels;
    if (header.type == PageHeader::Type::kDataV2) {
      values = values.subspan(header.repetition_level_bytes);
      levels = values.first(header.definition_level_bytes);
      values = values.subspan(levels.size());
    } else if (input.nullable && header.definition_level_encoding == parquet::Encoding::RLE) {
      uint32_t bytes = 0;
      std::memcpy(&bytes, values.data(), sizeof(bytes));
      levels = values.subspan(sizeof(bytes), bytes);
      values = values.subspan(sizeof(bytes) + bytes);
    } else if (input.nullable) {
      values = values.subspan((header.values + 7) / 8);
    }
    // Versions of the format before 2.6 allow them; DuckDB reads them.
    if (HasRunOfNoLength(levels, 1)) return "levels with a run of no length";
    if (header.encoding != parquet::Encoding::PLAIN_DICTIONARY &&
        header.encoding != parquet::Encoding::RLE_DICTIONARY)
      continue;
    has_indices = true;
    if (values.empty()) continue;
    looks_up = true;
    if (HasRunOfNoLength(values.subspan(1), values[0])) return "indices with a run of no length";
  }
  // Arrow wants a whole dictionary before a page of nulls, and wherever there is one.
  if ((has_dictionary || has_indices) && !looks_up) return "a dictionary that is not needed";
  return nullptr;
}

/// Compares the readers; returns what the input came to.
std::string Compare(const Input& input) {
  const auto node = parquet::schema::PrimitiveNode::Make(
      "c", input.nullable ? parquet::Repetition::OPTIONAL : parquet::Repetition::REQUIRED,
      input.kind->stored, parquet::ConvertedType::NONE, input.kind->bytes);
  const parquet::ColumnDescriptor stored(node, input.nullable ? 1 : 0, 0);
  const Reading theirs = ReadByArrow(input, stored);
  const Reading ours = ReadByLake(input, stored, false);
  if (!ours.values.has_value()) {
    if (!theirs.values.has_value()) return "refused by both";
    Require(IsStricter(ours), "only Arrow reads it: " + ours.error);
    return "refused by the lake alone";
  }
  const Reading skipping = ReadByLake(input, stored, true);
  Require(skipping.values.has_value(), "skipping fails: " + skipping.error);
  for (size_t row = 0; row < ours.values->size(); ++row) {
    const bool read = static_cast<int64_t>(row) / input.rows_at_once % 2 == 0;
    Require(!read || (*skipping.values)[row] == (*ours.values)[row], "other values after a skip");
  }
  if (!theirs.values.has_value()) {
    const char* const why = WhyArrowRefuses(input, theirs.error);
    Require(why != nullptr, "only the lake reads it; Arrow: " + theirs.error);
    return std::string("refused by Arrow alone: ") + why;
  }
  Require(ours.values == theirs.values, "other values than Arrow's");
  return "read with equal values";
}

/// How many inputs came to what.
class Tally {
 public:
  Tally() = default;
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;
  ~Tally() {
    for (const auto& [outcome, inputs] : inputs_) {
      std::fprintf(stderr, "column_fuzzer: %zu inputs %s\n", inputs, outcome.c_str());
    }
  }
  void Add(const std::string& outcome) { ++inputs_[outcome]; }

 private:
  std::map<std::string, size_t> inputs_;
};

}  // namespace
}  // namespace spillway::lake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static spillway::lake::Tally tally;
  if (size < 5) return 0;
  tally.Add(spillway::lake::Compare(spillway::lake::InputOf({data, size})));
  return 0;
}

/// libFuzzer's; not there in builds that only replay the corpus.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size)
    __attribute__((weak));

/// Mostly keeps the length of the pages: where it changes, what follows is rarely read at all.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  constexpr size_t kBytesMax = 4;
  if (seed % 8 == 0 || size < kBytesMax) return LLVMFuzzerMutate(data, size, max_size);
  const size_t at = seed / 8 % (size - kBytesMax + 1);
  const size_t bytes = 1 + seed / 8 / size % kBytesMax;
  std::array<uint8_t, kBytesMax> changed = {};
  std::copy_n(data + at, bytes, changed.begin());
  LLVMFuzzerMutate(changed.data(), bytes, bytes);
  std::copy_n(changed.begin(), bytes, data + at);
  return size;
}
