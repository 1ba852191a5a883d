#include "lake/column/column_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <arrow/api.h>
#include <arrow/util/bit_util.h>
#include <fmt/format.h>
#include <parquet/encoding.h>

#include "lake/column/fixed_column.h"
#include "lake/column/text_column.h"

namespace spillway::lake {
namespace {

std::unexpected<Error> Broken(std::string what) {
  return Fail(ErrorCode::kCorrupt, std::move(what));
}

std::unexpected<Error> Unreadable(std::string what) {
  return Fail(ErrorCode::kUnsupported, std::move(what));
}

/// Whether bits mean the same read from either end of each byte.
bool SameInBothOrders(std::span<const uint8_t> bytes, int64_t bits) {
  for (int64_t i = 0; i < bits; ++i) {
    const unsigned byte = bytes[i / 8];
    if ((byte >> i % 8 & 1) != (byte >> (7 - i % 8) & 1)) return false;
  }
  return true;
}

bool Decodes(parquet::Type::type type, parquet::Encoding::type encoding) {
  const auto known = parquet::SupportedEncodings(type);
  return std::ranges::find(known, encoding) != known.end();
}

/// In place of indices of width 0, which have no bytes, and of what may be read after them.
constexpr std::array<uint8_t, 16> kNoIndices = {};

}  // namespace

Result<std::shared_ptr<arrow::Buffer>> ColumnReader::Allocate(int64_t bytes) const {
  auto buffer = arrow::AllocateBuffer(bytes, &pool_);
  if (!buffer.ok()) {
    return FailTransient(ErrorCode::kUnavailable, "reading the lake: " + buffer.status().message());
  }
  return std::shared_ptr<arrow::Buffer>(*std::move(buffer));
}

Result<std::unique_ptr<ColumnReader>> ColumnReader::Make(
    const parquet::ColumnDescriptor& stored, const std::shared_ptr<arrow::DataType>& type,
    const ColumnMemory& memory) {
  auto reader = type->id() == arrow::Type::STRING || type->id() == arrow::Type::BINARY
                    ? MakeTextColumn(stored, type, memory)
                    : MakeFixedColumn(stored, type, memory);
  if (reader == nullptr) {
    return Fail(ErrorCode::kUnsupported, "column '" + stored.name() + "' is " + type->ToString() +
                                             ", which a lake cannot hold");
  }
  return reader;
}

ColumnReader::ColumnReader(const parquet::ColumnDescriptor& stored,
                           std::shared_ptr<arrow::DataType> type, const ColumnMemory& memory)
    : stored_(stored),
      type_(std::move(type)),
      nullable_(stored.max_definition_level() > 0),
      pool_(memory.pool),
      pages_(memory.decompressor),
      dictionary_bytes_(memory.pool),
      page_bytes_(memory.pool) {}

void ColumnReader::Start(const ColumnChunk& chunk) {
  chunk_ = chunk;
  pages_.Start(chunk);
  page_left_ = 0;
  chunk_left_ = chunk.values;
  dictionary_page_.reset();
  dictionary_open_ = false;
  StartChunk();
}

/// Goes to the next data page and leaves it compressed; false after the last.
Result<bool> ColumnReader::OpenPage() {
  page_started_ = false;
  while (TRY(pages_.Next())) {
    switch (pages_.page().header.type) {
      case PageHeader::Type::kDictionary:
        if (dictionary_page_) return Broken("has two dictionaries");
        dictionary_page_ = pages_.page();
        continue;
      case PageHeader::Type::kOther:
        continue;
      case PageHeader::Type::kData:
      case PageHeader::Type::kDataV2:
        page_left_ = pages_.page().header.values;
        if (page_left_ > chunk_left_) return Broken("has more values than rows");
        chunk_left_ -= page_left_;
        if (page_left_ > 0) return true;
    }
  }
  return false;
}

Result<> ColumnReader::OpenDictionary() {
  if (dictionary_open_) return {};
  if (!dictionary_page_) return Broken("lacks its dictionary");
  const PageHeader& header = dictionary_page_->header;
  const auto body = TRY(pages_.Open(*dictionary_page_, dictionary_bytes_));
  const bool known = header.encoding == parquet::Encoding::PLAIN ||
                     header.encoding == parquet::Encoding::PLAIN_DICTIONARY;
  if (!known || !StartDictionary(body, header.values)) return Broken("has a broken dictionary");
  dictionary_open_ = true;
  return {};
}

/// Takes the levels from the front of a V1 page; returns what is left.
Result<std::span<const uint8_t>> ColumnReader::StartLevels(std::span<const uint8_t> body,
                                                           const PageHeader& header) {
  if (header.definition_level_encoding == parquet::Encoding::BIT_PACKED) {
    const size_t bytes = (static_cast<size_t>(header.values) + 7) / 8;
    if (bytes > body.size()) return Broken("has a page with broken levels");
    if (!SameInBothOrders(body, header.values)) {
      return Unreadable(
          "has levels in the old encoding BIT_PACKED, which readers take in two orders of bits: "
          "rewrite the file");
    }
    levels_ = RunDecoder::Packed(body, 1, header.values);
    return body.subspan(bytes);
  }
  if (header.definition_level_encoding != parquet::Encoding::RLE) {
    return Unreadable(fmt::format("has levels in encoding {}, which is not known: rewrite the file",
                                  header.definition_level_encoding));
  }
  uint32_t bytes = 0;
  if (body.size() >= sizeof(bytes)) std::memcpy(&bytes, body.data(), sizeof(bytes));
  if (body.size() < sizeof(bytes) || bytes > body.size() - sizeof(bytes)) {
    return Broken("has a page with broken levels");
  }
  levels_ = RunDecoder(body.subspan(sizeof(bytes), bytes), 1);
  return body.subspan(sizeof(bytes) + bytes);
}

/// Decompresses the current page and separates its levels from its values.
Result<> ColumnReader::StartPage() {
  auto body = TRY(pages_.Open(pages_.page(), page_bytes_));
  const PageHeader& header = pages_.page().header;
  page_started_ = true;
  page_has_nulls_ = nullable_;
  if (header.type == PageHeader::Type::kDataV2) {
    // A column that is not nested has no repetitions, but a writer may store levels for them.
    const size_t repetitions = header.repetition_level_bytes;
    const size_t definitions = header.definition_level_bytes;
    if (repetitions + definitions > body.size()) return Broken("has a page that is all levels");
    levels_ = RunDecoder(body.subspan(repetitions, definitions), 1);
    body = body.subspan(repetitions + definitions);
  } else if (nullable_) {
    body = TRY(StartLevels(body, header));
  }
  if (page_has_nulls_) {
    const RunDecoder::Run run = levels_.Peek();
    page_has_nulls_ = !(run.repeated && run.value == 1 && run.length >= page_left_);
  }
  bool started = false;
  // Other numbers are no values of the enumeration.
  const bool named =
      header.encoding >= parquet::Encoding::PLAIN && header.encoding < parquet::Encoding::UNDEFINED;
  const auto encoding =
      named ? static_cast<parquet::Encoding::type>(header.encoding) : parquet::Encoding::UNKNOWN;
  switch (encoding) {
    case parquet::Encoding::PLAIN:
      started = StartPlain(body);
      break;
    case parquet::Encoding::PLAIN_DICTIONARY:
    case parquet::Encoding::RLE_DICTIONARY:
      // A page of nulls alone may lack even the width.
      if (body.empty()) {
        body = std::span(kNoIndices).first(1);
      } else {
        TRY(OpenDictionary());
      }
      started = body[0] <= 32 && StartIndices(RunDecoder(body.subspan(1), body[0]));
      break;
    default:
      if (!Decodes(stored_.physical_type(), encoding)) {
        return Unreadable(
            fmt::format("has a page in encoding {}, which cannot be read for its type: rewrite the "
                        "file",
                        header.encoding));
      }
      started = StartOther(encoding, body, header.values);
  }
  if (!started) return Broken("has a page whose values do not fit its encoding");
  return {};
}

template <class Present, class Absent>
bool ColumnReader::ForRuns(int64_t rows, Present present, Absent absent) {
  if (!page_has_nulls_) return present(rows);
  std::array<int32_t, 512> levels;
  while (rows > 0) {
    const RunDecoder::Run run = levels_.Peek();
    if (run.length == 0) return false;
    if (run.repeated) {
      if (run.value > 1) return false;
      const int64_t take = std::min(run.length, rows);
      if (!(run.value == 1 ? present(take) : absent(take))) return false;
      levels_.Pass(take);
      rows -= take;
      continue;
    }
    const int64_t take =
        levels_.Decode(std::min({std::ssize(levels), run.length, rows}), levels.data());
    for (int64_t at = 0; at < take;) {
      int64_t end = at + 1;
      while (end < take && levels[end] == levels[at]) ++end;
      if (!(levels[at] == 1 ? present(end - at) : absent(end - at))) return false;
      at = end;
    }
    rows -= take;
  }
  return true;
}

Result<> ColumnReader::Skip(int64_t rows) {
  while (rows > 0) {
    if (page_left_ == 0 && !TRY(OpenPage())) return Broken("has fewer values than rows");
    const int64_t take = std::min(rows, page_left_);
    if (take < page_left_ || page_started_) {
      if (!page_started_) TRY(StartPage());
      const bool skipped = ForRuns(
          take, [&](int64_t values) { return SkipValues(values); }, [](int64_t) { return true; });
      if (!skipped) return Broken("has a page with broken values");
    }
    page_left_ -= take;
    rows -= take;
  }
  return {};
}

Result<> ColumnReader::MarkNulls(int64_t row, int64_t nulls, int64_t rows) {
  if (validity_.bitmap == nullptr) {
    validity_.bitmap = TRY(Allocate(arrow::bit_util::BytesForBits(rows)));
    std::memset(validity_.bitmap->mutable_data(), 0xff, validity_.bitmap->size());
  }
  arrow::bit_util::SetBitsTo(validity_.bitmap->mutable_data(), row, nulls, false);
  validity_.nulls += nulls;
  return {};
}

Result<int64_t> ColumnReader::RowBytes() {
  if (page_left_ == 0 && !TRY(OpenPage())) return Broken("has fewer values than rows");
  if (dictionary_page_) TRY(OpenDictionary());
  return std::max(chunk_.uncompressed_bytes / std::max<int64_t>(chunk_.values, 1),
                  LookedUpBytesMax());
}

Result<std::shared_ptr<arrow::Array>> ColumnReader::Read(int64_t rows) {
  validity_ = {};
  TRY(StartBatch(rows));
  for (int64_t row = 0; row < rows;) {
    if (page_left_ == 0 && !TRY(OpenPage())) return Broken("has fewer values than rows");
    if (!page_started_) TRY(StartPage());
    const int64_t take = std::min(rows - row, page_left_);
    Result<> marked;
    const bool whole = ForRuns(
        take,
        [&](int64_t values) {
          row += values;
          return Append(values);
        },
        [&](int64_t nulls) {
          marked = MarkNulls(row, nulls, rows);
          row += nulls;
          AppendNulls(nulls);
          return marked.has_value();
        });
    TRY(std::move(marked));
    if (!whole) return Broken("has a page with broken values");
    page_left_ -= take;
  }
  return FinishBatch(rows, std::exchange(validity_, {}));
}

}  // namespace spillway::lake
