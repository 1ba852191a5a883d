#include "batch/column_type.h"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include <arrow/type.h>

#include "base/nearest_name.h"

namespace spillway::batch {
namespace {

constexpr std::string_view kKnown =
    "string, timestamp, int64, double, bool, date or decimal(precision,scale)";

std::vector<std::pair<std::string, std::shared_ptr<arrow::DataType>>> SimpleTypes() {
  return {
      {"string", arrow::utf8()},  {"timestamp", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")},
      {"int64", arrow::int64()},  {"double", arrow::float64()},
      {"bool", arrow::boolean()}, {"date", arrow::date32()}};
}

std::string WithoutSpaces(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c != ' ') result += c;
  }
  return result;
}

std::optional<int32_t> ParseNumber(std::string_view text) {
  int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<std::shared_ptr<arrow::DataType>> ParseDecimal(std::string_view text) {
  std::string_view inner = text;
  inner.remove_prefix(std::string_view("decimal(").size());
  inner.remove_suffix(1);
  const size_t comma = inner.find(',');
  const auto precision = ParseNumber(inner.substr(0, comma));
  const auto scale = comma == std::string_view::npos ? 0 : ParseNumber(inner.substr(comma + 1));
  if (!precision || !scale || *precision < 1 || *precision > arrow::Decimal128Type::kMaxPrecision ||
      *scale < 0 || *scale > *precision) {
    return Fail(ErrorCode::kInvalidArgument,
                "\"" + std::string(text) +
                    "\" is no decimal; use decimal(precision,scale) with a "
                    "precision from 1 to 38 and a scale from 0 to the precision");
  }
  return arrow::decimal128(*precision, *scale);
}

}  // namespace

Result<std::shared_ptr<arrow::DataType>> ParseColumnType(std::string_view text) {
  const std::string name = WithoutSpaces(text);
  if (name.starts_with("decimal(") && name.ends_with(")")) return ParseDecimal(name);
  std::vector<std::string> known = {"decimal"};
  for (auto& [simple, type] : SimpleTypes()) {
    if (simple == name) return type;
    known.push_back(simple);
  }
  std::string message = "unknown type \"" + std::string(text.substr(0, 60)) + "\"; ";
  const auto nearest = NearestName(name, known);
  message += nearest ? "did you mean " + *nearest + "? Use " : "use ";
  return Fail(ErrorCode::kInvalidArgument, message + std::string(kKnown));
}

Result<std::string> FormatColumnType(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DECIMAL128) {
    const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
    return "decimal(" + std::to_string(decimal.precision()) + "," +
           std::to_string(decimal.scale()) + ")";
  }
  for (const auto& [name, simple] : SimpleTypes()) {
    if (simple->Equals(type)) return name;
  }
  return Fail(ErrorCode::kUnsupported,
              "columns have no type " + type.ToString() + "; use " + std::string(kKnown));
}

}  // namespace spillway::batch
