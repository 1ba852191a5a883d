#include "format/row/type_match.h"

#include <arrow/api.h>

namespace spillway::format {

bool ReadsAlike(const arrow::DataType& a, const arrow::DataType& b) {
  if (a.id() == arrow::Type::DICTIONARY) {
    return ReadsAlike(*static_cast<const arrow::DictionaryType&>(a).value_type(), b);
  }
  if (b.id() == arrow::Type::DICTIONARY) return ReadsAlike(b, a);
  if (a.id() != arrow::Type::TIMESTAMP || b.id() != arrow::Type::TIMESTAMP) return a.Equals(b);
  const auto& left = static_cast<const arrow::TimestampType&>(a);
  const auto& right = static_cast<const arrow::TimestampType&>(b);
  return left.unit() == right.unit() && left.timezone().empty() == right.timezone().empty();
}

}  // namespace spillway::format
