#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "lake/lake.h"

namespace spillway::lake {

/// How a message lies in memory between its JSON line and its column: one run of bytes, in the
/// machine's byte order, so that a partition's rows are buffered by copying and sorted by pointer.
///
///   RowHeader, one bit a column for nulls, one slot a column, the strings' bytes; padded to 8
class RowLayout {
 public:
  enum class Kind : uint8_t { kBool, kInt64, kDouble, kDecimal, kTime, kDate, kString };

  struct Column {
    std::string name;
    Kind kind = Kind::kString;
    int precision = 0;    ///< Of a decimal.
    int scale = 0;        ///< Of a decimal.
    uint32_t offset = 0;  ///< Of its slot: 16 bytes for a decimal, otherwise 8.
  };

  /// kUnsupported names a column whose type NDJSON cannot fill, kInvalidArgument a schema without
  /// its time column.
  static Result<RowLayout> Of(const LakeSchema& schema);

  const std::vector<Column>& columns() const { return columns_; }
  size_t time_column() const { return time_column_; }
  uint32_t null_offset() const { return null_offset_; }
  uint32_t fixed_bytes() const { return fixed_bytes_; }

 private:
  std::vector<Column> columns_;
  size_t time_column_ = 0;
  uint32_t null_offset_ = 0;
  uint32_t fixed_bytes_ = 0;
};

struct RowHeader {
  uint32_t bytes = 0;  ///< Of the whole row, a multiple of 8.
  uint32_t padding = 0;
  uint64_t line = 0;  ///< Its place in the input; breaks ties of time.
  int64_t time = 0;   ///< Microseconds since 1970-01-01 UTC.
};

/// The slot of a string: where its bytes lie, from the start of the row.
struct StringSlot {
  uint32_t offset = 0;
  uint32_t bytes = 0;
};

inline const RowHeader& HeaderOf(const char* row) {
  return *reinterpret_cast<const RowHeader*>(row);
}

template <class T>
T Load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <class T>
void Store(char* at, const T& value) {
  std::memcpy(at, &value, sizeof(T));
}

/// The rows as one Arrow batch of the schema, in the order given.
Result<std::shared_ptr<arrow::RecordBatch>> RowsToBatch(
    const RowLayout& layout, const std::shared_ptr<arrow::Schema>& schema,
    std::span<const char* const> rows);

}  // namespace spillway::lake
