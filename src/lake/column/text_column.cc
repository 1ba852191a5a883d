#include "lake/column/text_column.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <parquet/encoding.h>
#include <parquet/types.h>

#include "lake/column/text_buffer.h"

namespace spillway::lake {
namespace {

constexpr int64_t kStep = 1024;
class TextColumn final : public ColumnReader {
 public:
  TextColumn(const parquet::ColumnDescriptor& stored, std::shared_ptr<arrow::DataType> type,
             const ColumnMemory& memory)
      : ColumnReader(stored, std::move(type), memory) {}

 private:
  void StartChunk() override {
    entries_.clear();
    longest_entry_ = 0;
  }

  bool StartDictionary(std::span<const uint8_t> bytes, int64_t values) override {
    if (values > std::ssize(bytes) / 4) return false;
    entries_.reserve(values);
    const uint8_t* next = bytes.data();
    const uint8_t* const end = next + bytes.size();
    for (int64_t i = 0; i < values; ++i) {
      const int64_t length = TakeLength(next, end);
      if (length < 0) return false;
      entries_.push_back({next, length});
      longest_entry_ = std::max(longest_entry_, length);
      next += length;
    }
    return true;
  }

  int64_t LookedUpBytesMax() const override { return longest_entry_; }

  /// Reads a value's length and moves past it; -1 where the bytes end before the value does.
  static int64_t TakeLength(const uint8_t*& next, const uint8_t* end) {
    uint32_t length;
    if (end - next < static_cast<ptrdiff_t>(sizeof(length))) return -1;
    std::memcpy(&length, next, sizeof(length));
    next += sizeof(length);
    return length <= static_cast<uint64_t>(end - next) ? static_cast<int64_t>(length) : -1;
  }

  bool StartPlain(std::span<const uint8_t> bytes) override {
    source_ = Source::kPlain;
    plain_ = bytes.data();
    plain_end_ = bytes.data() + bytes.size();
    return true;
  }

  bool StartIndices(RunDecoder indices) override {
    source_ = Source::kIndices;
    indices_ = indices;
    return true;
  }

  bool StartOther(parquet::Encoding::type encoding, std::span<const uint8_t> bytes,
                  int64_t values) override {
    source_ = Source::kDecoder;
    decoder_ = parquet::MakeTypedDecoder<parquet::ByteArrayType>(encoding, &stored());
    if (decoder_ == nullptr) return false;
    decoder_->SetData(static_cast<int>(values), bytes.data(), static_cast<int>(bytes.size()));
    return true;
  }

  Result<> StartBatch(int64_t rows) override {
    offsets_ = TRY(Allocate((rows + 1) * static_cast<int64_t>(sizeof(int32_t))));
    next_ = offsets_->mutable_data_as<int32_t>();
    *next_++ = 0;
    const int64_t a_row = chunk().uncompressed_bytes / std::max<int64_t>(chunk().values, 1) + 1;
    return text_.Start(std::min(TextBuffer::kBytesMax, rows * a_row / 8 * 9 + 4096), pool());
  }

  bool Append(int64_t values) override {
    switch (source_) {
      case Source::kPlain:
        return AppendPlain(values);
      case Source::kIndices:
        return AppendByIndex(values);
      case Source::kDecoder:
        return Decode(values, [&](const parquet::ByteArray& value) {
          // The decoder's bytes have no slack after them.
          return AppendOne(value);
        });
    }
    return false;
  }

  void AppendNulls(int64_t nulls) override { next_ = std::fill_n(next_, nulls, text_.size()); }

  bool SkipValues(int64_t values) override {
    switch (source_) {
      case Source::kPlain:
        for (; values > 0; --values) {
          const int64_t length = TakeLength(plain_, plain_end_);
          if (length < 0) return false;
          plain_ += length;
        }
        return true;
      case Source::kIndices:
        return indices_.Skip(values) == values;
      case Source::kDecoder:
        return Decode(values, [](const parquet::ByteArray&) { return true; });
    }
    return false;
  }

  Result<std::shared_ptr<arrow::Array>> FinishBatch(int64_t rows, Validity validity) override {
    return arrow::MakeArray(arrow::ArrayData::Make(
        type(), rows, {std::move(validity.bitmap), std::move(offsets_), text_.Finish()},
        validity.nulls));
  }

  bool AppendPlain(int64_t values) {
    // Copies in locals: otherwise the compiler has to assume that writing text changes the members.
    const uint8_t* from = plain_;
    const uint8_t* const end = plain_end_;
    int32_t* next = next_;
    TextBuffer::Tail tail = text_.tail();
    for (; values > 0; --values) {
      const int64_t length = TakeLength(from, end);
      if (length < 0) return false;
      if (length > tail.left()) [[unlikely]] {
        if (!text_.Grow(tail, length)) return false;
      }
      tail.Append(from, length);
      from += length;
      *next++ = tail.size();
    }
    text_.set_tail(tail);
    next_ = next;
    plain_ = from;
    return true;
  }

  bool AppendByIndex(int64_t values) {
    const Entry* const entries = entries_.data();
    int32_t* next = next_;
    TextBuffer::Tail tail = text_.tail();
    std::array<int32_t, kStep> indices;
    while (values > 0) {
      const int64_t take = std::min(values, kStep);
      if (indices_.Decode(take, indices.data()) != take || !InDictionary(indices.data(), take)) {
        return false;
      }
      for (int64_t i = 0; i < take; ++i) {
        const Entry entry = entries[indices[i]];
        if (entry.length > tail.left()) [[unlikely]] {
          if (!text_.Grow(tail, entry.length)) return false;
        }
        tail.Append(entry.bytes, entry.length);
        *next++ = tail.size();
      }
      values -= take;
    }
    text_.set_tail(tail);
    next_ = next;
    return true;
  }

  bool InDictionary(const int32_t* indices, int64_t count) const {
    uint32_t most = 0;
    for (int64_t i = 0; i < count; ++i) most = std::max(most, static_cast<uint32_t>(indices[i]));
    return most < entries_.size();
  }

  bool AppendOne(const parquet::ByteArray& value) {
    copy_.assign(value.ptr, value.ptr + value.len);
    copy_.resize(copy_.size() + TextBuffer::kSlack);
    if (!text_.Append(copy_.data(), value.len)) return false;
    *next_++ = text_.size();
    return true;
  }

  template <class Use>
  bool Decode(int64_t values, Use use) {
    std::array<parquet::ByteArray, kStep> decoded;
    while (values > 0) {
      const int take = static_cast<int>(std::min(values, kStep));
      if (decoder_->Decode(decoded.data(), take) != take) return false;
      for (int i = 0; i < take; ++i) {
        if (!use(decoded[i])) return false;
      }
      values -= take;
    }
    return true;
  }

  enum class Source { kPlain, kIndices, kDecoder };
  struct Entry {
    const uint8_t* bytes;
    int64_t length;
  };

  Source source_ = Source::kPlain;
  const uint8_t* plain_ = nullptr;
  const uint8_t* plain_end_ = nullptr;
  RunDecoder indices_;
  std::vector<Entry> entries_;
  int64_t longest_entry_ = 0;
  std::unique_ptr<parquet::ByteArrayDecoder> decoder_;
  std::vector<uint8_t> copy_;
  std::shared_ptr<arrow::Buffer> offsets_;
  int32_t* next_ = nullptr;
  TextBuffer text_;
};

}  // namespace

std::unique_ptr<ColumnReader> MakeTextColumn(const parquet::ColumnDescriptor& stored,
                                             const std::shared_ptr<arrow::DataType>& type,
                                             const ColumnMemory& memory) {
  if (stored.physical_type() != parquet::Type::BYTE_ARRAY) return nullptr;
  return std::make_unique<TextColumn>(stored, type, memory);
}

}  // namespace spillway::lake
