#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include <arrow/api.h>

#include "format/format.h"
#include "format/row/row_encoder.h"

namespace spillway::format {
namespace {

std::string SpecialsOf(char delimiter) { return {delimiter, '"', '\r', '\n'}; }

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

class CsvFormat final : public Format {
 public:
  CsvFormat(CsvOptions options, Zone zone)
      : options_(std::move(options)), zone_(std::make_shared<const Zone>(std::move(zone))) {}

  std::string_view extension() const override { return ".csv"; }
  bool joinable() const override { return true; }

  Result<std::unique_ptr<Encoder>> NewEncoder(const arrow::Schema& schema,
                                              Position position) const override {
    if (schema.num_fields() == 0)
      return Fail(ErrorCode::kInvalidArgument, "a CSV file needs at least one column");
    std::vector<ColumnBinder> binders;
    const auto quoted =
        options_.quoting == Quoting::kAll ? QuotedValues::kAll : QuotedValues::kNone;
    for (const auto& field : schema.fields()) {
      binders.push_back(
          TRY(ColumnBinder::Make(*field, static_cast<uint32_t>(binders.size()), *zone_, quoted)));
    }
    RowLayout<CsvDialect> layout{.dialect = DialectFor(schema.num_fields())};
    if (options_.byte_order_mark) layout.opening = kByteOrderMark;
    if (options_.header) AppendHeader(schema, layout.dialect, layout.opening);
    return std::make_unique<RowEncoder<CsvDialect>>(std::move(layout), std::move(binders),
                                                    schema.field_names(), zone_, position);
  }

 private:
  CsvDialect DialectFor(int columns) const {
    CsvDialect dialect;
    dialect.delimiter = options_.delimiter;
    dialect.specials = SpecialBytes(SpecialsOf(options_.delimiter));
    dialect.quote_all = options_.quoting == Quoting::kAll;
    dialect.escape_formulas = options_.escape_formulas;
    dialect.bare_floats = options_.whole_floats == WholeFloats::kBare;
    dialect.one_column = columns == 1;
    dialect.careful = dialect.quote_all || dialect.escape_formulas || dialect.one_column;
    dialect.row_end_bytes =
        static_cast<uint8_t>(options_.line_end.copy(dialect.row_end, sizeof(dialect.row_end)));
    dialect.marker_bytes = static_cast<uint8_t>(
        options_.null_marker.copy(dialect.null_text, CsvDialect::kMarkerBytesMax));
    dialect.null_bytes = dialect.marker_bytes;
    if (dialect.one_column && dialect.marker_bytes == 0) {
      dialect.null_text[0] = dialect.null_text[1] = '"';
      dialect.null_bytes = 2;
    }
    return dialect;
  }

  void AppendHeader(const arrow::Schema& schema, const CsvDialect& dialect,
                    std::string& header) const {
    std::string field;
    for (int i = 0; i < schema.num_fields(); ++i) {
      const std::string& name = schema.field(i)->name();
      field.resize(name.size() * CsvDialect::kGrowth + CsvDialect::kAround);
      const bool special = name.find_first_of(SpecialsOf(dialect.delimiter)) != std::string::npos;
      char* end = dialect.WriteCarefully(name.data(), name.size(), special, field.data());
      if (i != 0) header += dialect.delimiter;
      header.append(field.data(), static_cast<size_t>(end - field.data()));
    }
    header.append(options_.line_end);
  }

  CsvOptions options_;
  std::shared_ptr<const Zone> zone_;
};

bool IsLetterOrDigit(char c) {
  return ('0' <= c && c <= '9') || ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z');
}

}  // namespace

Result<> CheckCsvDelimiter(char delimiter) {
  // Numbers, times and base64 are written without looking for the delimiter. Many readers take a
  // backslash for more than itself: between an absent value and a point it ends COPY FROM's data.
  constexpr std::string_view kInValues = "+-./:=\"'\r\n\\";
  const bool ascii = delimiter > 0 && delimiter < 0x7f;
  if (!ascii || IsLetterOrDigit(delimiter) || kInValues.find(delimiter) != std::string_view::npos ||
      !SpecialBytes::CanHold(SpecialsOf(delimiter))) {
    return Fail(ErrorCode::kInvalidArgument,
                "cannot be told from what stands in values; use a comma, semicolon, tab, bar or "
                "another sign that is in no number or time");
  }
  return {};
}

Result<> CheckCsvNullMarker(std::string_view marker, char delimiter) {
  if (marker.find_first_of(SpecialsOf(delimiter)) != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "has a quote, a line break or the delimiter in it, but is never quoted; use "
                "another text, such as NULL");
  }
  if (marker == "\\.") {
    return Fail(ErrorCode::kInvalidArgument,
                "ends the file for PostgreSQL's COPY FROM; use another text, such as NULL");
  }
  const size_t digit = marker.starts_with('-') || marker.starts_with('+') ? 1 : 0;
  if (marker.size() > digit && '0' <= marker[digit] && marker[digit] <= '9') {
    return Fail(ErrorCode::kInvalidArgument,
                "reads like a number or a time; use another text, such as NULL");
  }
  if (marker.size() > CsvDialect::kMarkerBytesMax) {
    return Fail(ErrorCode::kInvalidArgument, "is longer than " +
                                                 std::to_string(CsvDialect::kMarkerBytesMax) +
                                                 " bytes; use a shorter text, such as NULL");
  }
  return {};
}

Result<std::unique_ptr<Format>> NewCsvFormat(CsvOptions options) {
  if (auto checked = CheckCsvDelimiter(options.delimiter); !checked) {
    return std::unexpected(std::move(checked).error().Within("csv delimiter"));
  }
  if (auto checked = CheckCsvNullMarker(options.null_marker, options.delimiter); !checked) {
    return std::unexpected(std::move(checked).error().Within("csv null marker"));
  }
  if (options.line_end != "\r\n" && options.line_end != "\n") {
    return Fail(ErrorCode::kInvalidArgument, "csv line end: use CRLF or LF");
  }
  Zone zone = TRY(Zone::Find(options.time_zone));
  return std::make_unique<CsvFormat>(std::move(options), std::move(zone));
}

}  // namespace spillway::format
