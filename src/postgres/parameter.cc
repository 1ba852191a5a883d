#include "postgres/parameter.h"

namespace spillway::postgres {

Parameter::Parameter(std::span<const int64_t> values) : value_("{") {
  for (const int64_t value : values) {
    if (value_->size() > 1) *value_ += ',';
    *value_ += std::to_string(value);
  }
  *value_ += '}';
}

Parameter::Parameter(std::span<const std::string> values) : value_("{") {
  for (const std::string& value : values) {
    if (value_->size() > 1) *value_ += ',';
    *value_ += '"';
    for (const char byte : value) {
      if (byte == '"' || byte == '\\') *value_ += '\\';
      *value_ += byte;
    }
    *value_ += '"';
  }
  *value_ += '}';
}

}  // namespace spillway::postgres
