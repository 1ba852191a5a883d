#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "source/postgres/column.h"
#include "source/postgres/numeric.h"

namespace spillway::postgres_source {

/// The values of one column of a batch, as Arrow lays them out. Rows are written by their number,
/// in order. One thread at a time.
class ColumnBuffer {
 public:
  explicit ColumnBuffer(const Column& column);
  ColumnBuffer(ColumnBuffer&&) noexcept;
  ColumnBuffer& operator=(ColumnBuffer&&) noexcept;
  ~ColumnBuffer();

  /// Room for `rows` rows. kOutOfSpace when there is no memory.
  Result<> Begin(int64_t rows);

  void WriteNull(int64_t row);

  /// One value in COPY's binary format. kRange also for text beyond Arrow's 2 GiB a batch.
  Problem Write(int64_t row, std::string_view value);

  /// Makes the row as if it had not been written.
  void Rewind(int64_t row);

  /// Bytes of text in the first rows.
  size_t text_bytes(int64_t rows) const;

  /// The first row whose text is no UTF-8; -1: none.
  int64_t FirstInvalidText(int64_t rows) const;

  /// Hands out the first `rows` rows.
  std::shared_ptr<arrow::Array> Take(int64_t rows);

 private:
  template <class T>
  T* values() const {
    return reinterpret_cast<T*>(values_);
  }
  Problem WriteText(int64_t row, std::string_view text);
  char* Extend(int64_t row, size_t bytes);
  Problem WriteUuid(int64_t row, std::string_view value);
  Problem WriteDate(int64_t row, std::string_view value);
  Problem WriteTime(int64_t row, std::string_view value);
  Problem WriteTimestamp(int64_t row, std::string_view value);

  std::shared_ptr<arrow::DataType> type_;
  Encoding encoding_;
  bool has_text_;  ///< Offsets and bytes.
  int32_t width_;  ///< Of a value in Arrow, in bytes; of an offset, for text.
  int32_t precision_ = 0;
  int32_t scale_ = 0;
  uint8_t* values_ = nullptr;
  uint8_t* validity_ = nullptr;
  char* text_ = nullptr;
  size_t text_capacity_ = 0;
  std::unique_ptr<arrow::ResizableBuffer> values_buffer_;
  std::unique_ptr<arrow::ResizableBuffer> validity_buffer_;
  std::unique_ptr<arrow::ResizableBuffer> text_buffer_;
};

}  // namespace spillway::postgres_source
