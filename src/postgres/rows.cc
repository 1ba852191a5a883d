#include "postgres/rows.h"

#include <charconv>

namespace spillway::postgres {
namespace {

int64_t ParseDecimal(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Two's complement, most significant byte first, of 2, 4 or 8 bytes.
int64_t ParseBinary(std::string_view bytes) {
  if (bytes.empty()) return 0;
  int64_t value = static_cast<int8_t>(bytes.front());
  for (const char byte : bytes.substr(1)) value = (value << 8) | static_cast<uint8_t>(byte);
  return value;
}

}  // namespace

std::string_view Rows::Text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}

std::optional<std::string_view> Rows::TextOrNull(int row, int column) const {
  if (IsNull(row, column)) return std::nullopt;
  return Text(row, column);
}

int64_t Rows::Integer(int row, int column) const {
  const std::string_view text = Text(row, column);
  return IsBinary(column) ? ParseBinary(text) : ParseDecimal(text);
}

std::optional<int64_t> Rows::IntegerOrNull(int row, int column) const {
  if (IsNull(row, column)) return std::nullopt;
  return Integer(row, column);
}

bool Rows::Boolean(int row, int column) const {
  const std::string_view text = Text(row, column);
  return !text.empty() && text.front() == (IsBinary(column) ? '\1' : 't');
}

int64_t Rows::affected() const { return ParseDecimal(PQcmdTuples(result_.get())); }

}  // namespace spillway::postgres
