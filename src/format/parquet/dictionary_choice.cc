#include "format/parquet/dictionary_choice.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include <arrow/api.h>

namespace spillway::format {
namespace {

// Fewer say too little; more would not change the answer.
constexpr int64_t kRowsMin = 256;
constexpr int64_t kRowsMax = 4096;

// `value_of` gives the bytes of a row.
template <class ValueOf>
bool MostRepeat(const arrow::Array& values, ValueOf value_of) {
  const int64_t rows = std::min(values.length(), kRowsMax);
  std::unordered_set<std::string_view> distinct;
  for (int64_t row = 0; row < rows; ++row) {
    if (values.IsValid(row)) distinct.insert(value_of(row));
  }
  return 2 * static_cast<int64_t>(distinct.size()) <= rows;
}

}  // namespace

bool DictionaryPays(const arrow::Array& values) {
  if (values.length() < kRowsMin) return true;
  const arrow::ArrayData& data = *values.data();
  switch (values.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY: {
      const auto& strings = static_cast<const arrow::BinaryArray&>(values);
      return MostRepeat(values, [&](int64_t row) { return strings.GetView(row); });
    }
    case arrow::Type::INT64:
    case arrow::Type::UINT64:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::DOUBLE:
    case arrow::Type::DECIMAL128: {
      const auto width = static_cast<size_t>(values.type()->byte_width());
      const auto* first = reinterpret_cast<const char*>(data.buffers[1]->data()) +
                          static_cast<size_t>(data.offset) * width;
      return MostRepeat(values, [&](int64_t row) {
        return std::string_view(first + static_cast<size_t>(row) * width, width);
      });
    }
    default:
      return true;
  }
}

}  // namespace spillway::format
