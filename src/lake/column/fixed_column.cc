#include "lake/column/fixed_column.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/bit_util.h>
#include <parquet/encoding.h>
#include <parquet/types.h>

namespace spillway::lake {
namespace {

constexpr int64_t kStep = 1024;

/// Values that Parquet stores as Arrow holds them.
template <class Stored>
struct AsStored {
  using DType = Stored;
  using Value = typename DType::c_type;
  static constexpr bool kCopied = true;

  explicit AsStored(const parquet::ColumnDescriptor&) {}
  int64_t width() const { return sizeof(Value); }
  Value FromPlain(const uint8_t* bytes) const {
    Value value;
    std::memcpy(&value, bytes, sizeof(value));
    return value;
  }
  Value From(Value value) const { return value; }
};

/// A decimal as Arrow holds it, little-endian.
using Decimal = __int128;

/// Decimals that Parquet stores as an integer.
template <class Stored>
struct IntegerDecimal {
  using DType = Stored;
  using Value = Decimal;
  static constexpr bool kCopied = false;

  explicit IntegerDecimal(const parquet::ColumnDescriptor&) {}
  int64_t width() const { return sizeof(typename DType::c_type); }
  Value FromPlain(const uint8_t* bytes) const {
    typename DType::c_type value;
    std::memcpy(&value, bytes, sizeof(value));
    return value;
  }
  Value From(typename DType::c_type value) const { return value; }
};

/// Decimals that Parquet stores as big-endian bytes.
struct BytesDecimal {
  using DType = parquet::FLBAType;
  using Value = Decimal;
  static constexpr bool kCopied = false;

  explicit BytesDecimal(const parquet::ColumnDescriptor& stored) : width_(stored.type_length()) {}
  int64_t width() const { return width_; }
  Value FromPlain(const uint8_t* bytes) const {
    auto value =
        static_cast<unsigned __int128>(static_cast<Decimal>(static_cast<int8_t>(bytes[0])));
    for (int i = 1; i < width_; ++i) value = value << 8 | bytes[i];
    return static_cast<Value>(value);
  }
  Value From(const parquet::FixedLenByteArray& value) const { return FromPlain(value.ptr); }

 private:
  int width_;
};

template <class Form>
class FixedColumn final : public ColumnReader {
 public:
  using DType = typename Form::DType;
  using Value = typename Form::Value;

  FixedColumn(const parquet::ColumnDescriptor& stored, std::shared_ptr<arrow::DataType> type,
              const ColumnMemory& memory)
      : ColumnReader(stored, std::move(type), memory), form_(stored) {}

 private:
  void StartChunk() override { dictionary_.clear(); }

  bool StartDictionary(std::span<const uint8_t> bytes, int64_t values) override {
    if (values > std::ssize(bytes) / form_.width()) return false;
    dictionary_.resize(values);
    for (int64_t i = 0; i < values; ++i) {
      dictionary_[i] = form_.FromPlain(bytes.data() + i * form_.width());
    }
    return true;
  }

  bool StartPlain(std::span<const uint8_t> bytes) override {
    source_ = Source::kPlain;
    plain_ = bytes;
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
    decoder_ = parquet::MakeTypedDecoder<DType>(encoding, &stored());
    if (decoder_ == nullptr) return false;
    decoder_->SetData(static_cast<int>(values), bytes.data(), static_cast<int>(bytes.size()));
    return true;
  }

  Result<> StartBatch(int64_t rows) override {
    values_ = TRY(Allocate(rows * static_cast<int64_t>(sizeof(Value))));
    next_ = values_->template mutable_data_as<Value>();
    return {};
  }

  bool Append(int64_t values) override {
    switch (source_) {
      case Source::kPlain:
        return AppendPlain(values);
      case Source::kIndices:
        return AppendByIndex(values);
      case Source::kDecoder:
        return Decode(values, [&](const auto& value) { *next_++ = form_.From(value); });
    }
    return false;
  }

  void AppendNulls(int64_t nulls) override { next_ = std::fill_n(next_, nulls, Value{}); }

  bool SkipValues(int64_t values) override {
    switch (source_) {
      case Source::kPlain:
        if (values > std::ssize(plain_) / form_.width()) return false;
        plain_ = plain_.subspan(values * form_.width());
        return true;
      case Source::kIndices:
        return indices_.Skip(values) == values;
      case Source::kDecoder:
        return Decode(values, [](const auto&) {});
    }
    return false;
  }

  Result<std::shared_ptr<arrow::Array>> FinishBatch(int64_t rows, Validity validity) override {
    return arrow::MakeArray(arrow::ArrayData::Make(
        type(), rows, {std::move(validity.bitmap), std::move(values_)}, validity.nulls));
  }

  bool AppendPlain(int64_t values) {
    if (values > std::ssize(plain_) / form_.width()) return false;
    if constexpr (Form::kCopied) {
      std::memcpy(next_, plain_.data(), values * sizeof(Value));
    } else {
      for (int64_t i = 0; i < values; ++i) {
        next_[i] = form_.FromPlain(plain_.data() + i * form_.width());
      }
    }
    next_ += values;
    plain_ = plain_.subspan(values * form_.width());
    return true;
  }

  bool AppendByIndex(int64_t values) {
    std::array<int32_t, kStep> indices;
    while (values > 0) {
      const int64_t take = std::min(values, kStep);
      if (indices_.Decode(take, indices.data()) != take) return false;
      uint32_t most = 0;
      for (int64_t i = 0; i < take; ++i) most = std::max(most, static_cast<uint32_t>(indices[i]));
      if (most >= dictionary_.size()) return false;
      for (int64_t i = 0; i < take; ++i) next_[i] = dictionary_[indices[i]];
      next_ += take;
      values -= take;
    }
    return true;
  }

  template <class Use>
  bool Decode(int64_t values, Use use) {
    std::array<typename DType::c_type, kStep> decoded;
    while (values > 0) {
      const int take = static_cast<int>(std::min(values, kStep));
      if (decoder_->Decode(decoded.data(), take) != take) return false;
      for (int i = 0; i < take; ++i) use(decoded[i]);
      values -= take;
    }
    return true;
  }

  enum class Source { kPlain, kIndices, kDecoder };

  const Form form_;
  Source source_ = Source::kPlain;
  std::span<const uint8_t> plain_;
  RunDecoder indices_;
  std::vector<Value> dictionary_;
  std::unique_ptr<typename parquet::EncodingTraits<DType>::Decoder> decoder_;
  std::shared_ptr<arrow::Buffer> values_;
  Value* next_ = nullptr;
};

/// Booleans, which no dictionary is made of.
class BooleanColumn final : public ColumnReader {
 public:
  BooleanColumn(const parquet::ColumnDescriptor& stored, std::shared_ptr<arrow::DataType> type,
                const ColumnMemory& memory)
      : ColumnReader(stored, std::move(type), memory) {}

 private:
  void StartChunk() override {}
  bool StartDictionary(std::span<const uint8_t>, int64_t) override { return false; }
  bool StartIndices(RunDecoder) override { return false; }

  bool StartPlain(std::span<const uint8_t> bytes) override {
    return StartOther(parquet::Encoding::PLAIN, bytes, std::ssize(bytes) * 8);
  }

  bool StartOther(parquet::Encoding::type encoding, std::span<const uint8_t> bytes,
                  int64_t values) override {
    decoder_ = parquet::MakeTypedDecoder<parquet::BooleanType>(encoding, &stored());
    if (decoder_ == nullptr) return false;
    decoder_->SetData(static_cast<int>(values), bytes.data(), static_cast<int>(bytes.size()));
    return true;
  }

  Result<> StartBatch(int64_t rows) override {
    values_ = TRY(Allocate(arrow::bit_util::BytesForBits(rows)));
    std::memset(values_->mutable_data(), 0, values_->size());
    row_ = 0;
    return {};
  }

  bool Append(int64_t values) override {
    return Decode(values, [&](bool value) {
      arrow::bit_util::SetBitTo(values_->mutable_data(), row_++, value);
    });
  }

  void AppendNulls(int64_t nulls) override { row_ += nulls; }
  bool SkipValues(int64_t values) override {
    return Decode(values, [](bool) {});
  }

  Result<std::shared_ptr<arrow::Array>> FinishBatch(int64_t rows, Validity validity) override {
    return arrow::MakeArray(arrow::ArrayData::Make(
        type(), rows, {std::move(validity.bitmap), std::move(values_)}, validity.nulls));
  }

  template <class Use>
  bool Decode(int64_t values, Use use) {
    std::array<bool, kStep> decoded;
    while (values > 0) {
      const int take = static_cast<int>(std::min(values, kStep));
      if (decoder_->Decode(decoded.data(), take) != take) return false;
      for (int i = 0; i < take; ++i) use(decoded[i]);
      values -= take;
    }
    return true;
  }

  std::unique_ptr<parquet::BooleanDecoder> decoder_;
  std::shared_ptr<arrow::Buffer> values_;
  int64_t row_ = 0;
};

}  // namespace

std::unique_ptr<ColumnReader> MakeFixedColumn(const parquet::ColumnDescriptor& stored,
                                              const std::shared_ptr<arrow::DataType>& type,
                                              const ColumnMemory& memory) {
  const auto make = [&]<class Form>(std::type_identity<Form>) -> std::unique_ptr<ColumnReader> {
    return std::make_unique<FixedColumn<Form>>(stored, type, memory);
  };
  const bool decimal = type->id() == arrow::Type::DECIMAL128;
  if (!decimal && (!arrow::is_fixed_width(type->id()) || arrow::is_nested(type->id())))
    return nullptr;
  const int bits = static_cast<const arrow::FixedWidthType&>(*type).bit_width();
  switch (stored.physical_type()) {
    case parquet::Type::BOOLEAN:
      if (type->id() != arrow::Type::BOOL) return nullptr;
      return std::make_unique<BooleanColumn>(stored, type, memory);
    case parquet::Type::INT32:
      if (decimal) return make(std::type_identity<IntegerDecimal<parquet::Int32Type>>());
      return bits == 32 ? make(std::type_identity<AsStored<parquet::Int32Type>>()) : nullptr;
    case parquet::Type::INT64:
      if (decimal) return make(std::type_identity<IntegerDecimal<parquet::Int64Type>>());
      return bits == 64 ? make(std::type_identity<AsStored<parquet::Int64Type>>()) : nullptr;
    case parquet::Type::FLOAT:
      return bits == 32 ? make(std::type_identity<AsStored<parquet::FloatType>>()) : nullptr;
    case parquet::Type::DOUBLE:
      return bits == 64 ? make(std::type_identity<AsStored<parquet::DoubleType>>()) : nullptr;
    case parquet::Type::FIXED_LEN_BYTE_ARRAY:
      if (!decimal || stored.type_length() < 1 || stored.type_length() > 16) return nullptr;
      return make(std::type_identity<BytesDecimal>());
    default:
      return nullptr;
  }
}

}  // namespace spillway::lake
