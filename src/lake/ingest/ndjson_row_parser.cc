#include "lake/ingest/ndjson_row_parser.h"

#include <limits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <simdjson.h>

#include "lake/ingest/ndjson_values.h"

namespace spillway::lake {
namespace {

namespace ondemand = simdjson::ondemand;
using Kind = RowLayout::Kind;
using Reason = std::expected<void, std::string>;

static_assert(NdjsonRowParser::kPadding >= simdjson::SIMDJSON_PADDING);

constexpr int kDepthMax = 64;

std::string_view TypeName(ondemand::json_type type) {
  switch (type) {
    case ondemand::json_type::array:
      return "an array";
    case ondemand::json_type::object:
      return "an object";
    case ondemand::json_type::number:
      return "a number";
    case ondemand::json_type::string:
      return "a string";
    case ondemand::json_type::boolean:
      return "a boolean";
    case ondemand::json_type::null:
      return "null";
  }
  return "something else";
}

std::string_view TypeName(Kind kind) {
  switch (kind) {
    case Kind::kBool:
      return "a boolean";
    case Kind::kInt64:
    case Kind::kDouble:
      return "a number";
    case Kind::kDecimal:
      return "a number or a number in a string";
    case Kind::kTime:
      return "a time in a string";
    case Kind::kDate:
      return "a date in a string";
    case Kind::kString:
      return "a string";
  }
  return "";
}

std::unexpected<std::string> NotJson(simdjson::error_code error) {
  if (error == simdjson::UTF8_ERROR) return std::unexpected<std::string>("not valid UTF-8");
  std::string_view message = simdjson::error_message(error);
  return std::unexpected(fmt::format("not valid JSON: {}", message.substr(0, message.find('.'))));
}

std::unexpected<std::string> In(std::string_view field, std::string_view reason) {
  return std::unexpected(fmt::format("field {:?}: {}", field, reason));
}

std::string_view Trimmed(std::string_view token) {
  const size_t end = token.find_last_not_of(" \t\r\n");
  return token.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

/// Whether the value, which starts as null does, is null.
bool ReadsNull(ondemand::value& value) {
  bool null = false;
  return value.is_null().get(null) == simdjson::SUCCESS && null;
}

/// Checks a value that is not used, so that a line is refused unless all of it is JSON.
Reason Pass(ondemand::value value, int depth) {
  if (depth > kDepthMax) {
    return std::unexpected(fmt::format("nested deeper than {} levels", kDepthMax));
  }
  ondemand::json_type type;
  if (auto error = value.type().get(type)) return NotJson(error);
  switch (type) {
    case ondemand::json_type::array: {
      ondemand::array array;
      if (auto error = value.get_array().get(array)) return NotJson(error);
      for (auto element : array) {
        ondemand::value inner;
        if (auto error = element.get(inner)) return NotJson(error);
        if (auto passed = Pass(inner, depth + 1); !passed) return passed;
      }
      return {};
    }
    case ondemand::json_type::object: {
      ondemand::object object;
      if (auto error = value.get_object().get(object)) return NotJson(error);
      for (auto element : object) {
        ondemand::field field;
        if (auto error = std::move(element).get(field)) return NotJson(error);
        std::string_view key;
        if (auto error = field.unescaped_key().get(key)) return NotJson(error);
        if (auto passed = Pass(field.value(), depth + 1); !passed) return passed;
      }
      return {};
    }
    case ondemand::json_type::string: {
      std::string_view text;
      if (auto error = value.get_string().get(text)) return NotJson(error);
      return {};
    }
    case ondemand::json_type::number: {
      // Any finite number is one, however long: the column types' limits do not apply.
      const auto number = ParseDouble(Trimmed(value.raw_json_token()));
      if (!number && number.error().ends_with("is not a JSON number")) {
        return std::unexpected("not valid JSON: " + number.error());
      }
      return {};
    }
    case ondemand::json_type::boolean: {
      bool truth = false;
      if (auto error = value.get_bool().get(truth)) return NotJson(error);
      return {};
    }
    case ondemand::json_type::null:
      if (!ReadsNull(value)) return NotJson(simdjson::N_ATOM_ERROR);
      return {};
  }
  return {};
}

}  // namespace

class NdjsonRowParser::Implementation {
 public:
  Implementation(const RowLayout& layout, std::string organisation_field,
                 UnknownFields unknown_fields, size_t line_bytes_max)
      : layout_(layout),
        organisation_field_(std::move(organisation_field)),
        unknown_fields_(unknown_fields),
        line_bytes_max_(line_bytes_max),
        seen_(layout.columns().size()) {}

  std::expected<std::string_view, std::string> Parse(std::string_view line, Buffer& rows) {
    if (line.size() > line_bytes_max_) {
      return std::unexpected(fmt::format("longer than {} bytes", line_bytes_max_));
    }
    StartRow(line.size(), rows);
    ondemand::document document;
    const simdjson::padded_string_view padded(line, line.size() + kPadding);
    if (auto error = parser_.iterate(padded).get(document)) return NotJson(error);
    ondemand::json_type type;
    if (auto error = document.type().get(type)) return NotJson(error);
    if (type != ondemand::json_type::object) return std::unexpected("not a JSON object");
    ondemand::object object;
    if (auto error = document.get_object().get(object)) return NotJson(error);
    for (auto element : object) {
      ondemand::field field;
      if (auto error = std::move(element).get(field)) return NotJson(error);
      if (auto taken = Take(field); !taken) return std::unexpected(std::move(taken).error());
    }
    const char* trailing = nullptr;
    if (document.current_location().get(trailing) == simdjson::SUCCESS) {
      return std::unexpected("more than one JSON value");
    }
    return FinishRow(rows);
  }

  int64_t ignored_fields() const { return ignored_fields_; }

 private:
  static constexpr size_t kOrganisation = std::numeric_limits<size_t>::max();
  static constexpr size_t kUnknown = kOrganisation - 1;

  void StartRow(size_t line_bytes, Buffer& rows) {
    // A string never grows by unescaping.
    row_ = rows.Reserve(layout_.fixed_bytes() + line_bytes + sizeof(int64_t));
    std::memset(row_, 0, layout_.fixed_bytes());
    std::memset(row_ + layout_.null_offset(), 0xFF, (layout_.columns().size() + 7) / 8);
    used_ = layout_.fixed_bytes();
    ++stamp_;
    organisation_seen_ = false;
    has_organisation_ = false;
    next_ = 0;
    unknown_names_.clear();
  }

  std::expected<std::string_view, std::string> FinishRow(Buffer& rows) {
    if (!has_organisation_) return In(organisation_field_, "is missing");
    const size_t time = layout_.time_column();
    if (IsNull(time)) return In(layout_.columns()[time].name, "is missing");
    const uint32_t bytes = (used_ + 7) / 8 * 8;
    std::memset(row_ + used_, 0, bytes - used_);
    Store(row_,
          RowHeader{.bytes = bytes, .time = Load<int64_t>(row_ + layout_.columns()[time].offset)});
    rows.Advance(bytes);
    return std::string_view(organisation_);
  }

  bool IsNull(size_t column) const {
    return (row_[layout_.null_offset() + column / 8] >> (column % 8)) & 1;
  }

  void SetPresent(size_t column) {
    row_[layout_.null_offset() + column / 8] &= static_cast<char>(~(1U << (column % 8)));
  }

  /// The column of a key. Lines of one writer have their fields in one order: look at the next
  /// first.
  size_t Find(ondemand::raw_json_string raw) {
    const auto& columns = layout_.columns();
    if (next_ < columns.size() && raw.unsafe_is_equal(columns[next_].name)) return next_;
    if (raw.unsafe_is_equal(organisation_field_)) return kOrganisation;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (raw.unsafe_is_equal(columns[i].name)) return i;
    }
    return kUnknown;
  }

  size_t Find(std::string_view key) const {
    if (key == organisation_field_) return kOrganisation;
    for (size_t i = 0; i < layout_.columns().size(); ++i) {
      if (layout_.columns()[i].name == key) return i;
    }
    return kUnknown;
  }

  Reason Take(ondemand::field& field) {
    size_t column = Find(field.key());
    std::string_view key;
    if (column == kUnknown) {
      // A key may be written with escapes.
      if (auto error = field.unescaped_key().get(key)) return NotJson(error);
      column = Find(key);
      if (column == kUnknown) return TakeUnknown(key, field.value());
    }
    if (column == kOrganisation) return TakeOrganisation(field.value());
    const RowLayout::Column& known = layout_.columns()[column];
    if (seen_[column] == stamp_) return In(known.name, "appears twice");
    seen_[column] = stamp_;
    next_ = column + 1;
    return TakeValue(known, column, field.value());
  }

  Reason TakeUnknown(std::string_view key, ondemand::value value) {
    if (unknown_fields_ == UnknownFields::kReject) {
      return In(key, "is no column of the lake");
    }
    if (!unknown_names_.insert(std::string(key)).second) return In(key, "appears twice");
    if (auto passed = Pass(value, 1); !passed) return passed;
    ++ignored_fields_;
    return {};
  }

  Reason TakeOrganisation(ondemand::value value) {
    if (organisation_seen_) return In(organisation_field_, "appears twice");
    organisation_seen_ = true;
    ondemand::json_type type;
    if (auto error = value.type().get(type)) return NotJson(error);
    if (type == ondemand::json_type::null) {
      if (!ReadsNull(value)) return NotJson(simdjson::N_ATOM_ERROR);
      return {};
    }
    if (type != ondemand::json_type::string) {
      return In(organisation_field_, fmt::format("is {}, not a string", TypeName(type)));
    }
    const auto text = Text(value);
    if (!text) return In(organisation_field_, text.error());
    if (text->empty()) return In(organisation_field_, "is empty");
    if (text->size() > kOrganisationBytesMax) {
      return In(organisation_field_, fmt::format("is longer than {} bytes", kOrganisationBytesMax));
    }
    organisation_.assign(*text);
    has_organisation_ = true;
    return {};
  }

  /// The bytes of a JSON string. Valid until the line's end.
  ValueOr<std::string_view> Text(ondemand::value& value) {
    const std::string_view token = Trimmed(value.raw_json_token());
    if (token.find('"', 1) == token.size() - 1 && !token.contains('\\')) {
      // Nothing to unescape: the text stands in the line.
      ondemand::raw_json_string raw;
      if (auto error = value.get_raw_json_string().get(raw)) return NotJson(error);
      return token.substr(1, token.size() - 2);
    }
    std::string_view text;
    if (auto error = value.get_string().get(text)) return NotJson(error);
    // simdjson lets a lone surrogate through.
    if (!simdjson::validate_utf8(text)) return std::unexpected("holds half a surrogate pair");
    return text;
  }

  Reason TakeValue(const RowLayout::Column& column, size_t index, ondemand::value value) {
    ondemand::json_type type;
    if (auto error = value.type().get(type)) return NotJson(error);
    if (type == ondemand::json_type::null) {
      if (!ReadsNull(value)) return NotJson(simdjson::N_ATOM_ERROR);
      return {};
    }
    Reason taken;
    if (column.kind == Kind::kString && type == ondemand::json_type::string) {
      taken = TakeString(column, value);
    } else if (column.kind == Kind::kTime && type == ondemand::json_type::string) {
      taken = TakeInText(column, value, ParseTime);
    } else if (column.kind == Kind::kDate && type == ondemand::json_type::string) {
      taken = TakeInText(column, value, ParseDate);
    } else if (column.kind == Kind::kBool && type == ondemand::json_type::boolean) {
      bool truth = false;
      if (auto error = value.get_bool().get(truth)) return NotJson(error);
      Store(row_ + column.offset, int64_t{truth});
    } else if (type == ondemand::json_type::number) {
      taken = TakeNumber(column, Trimmed(value.raw_json_token()));
    } else if (column.kind == Kind::kDecimal && type == ondemand::json_type::string) {
      const auto text = Text(value);
      taken = text ? TakeNumber(column, *text) : Reason(std::unexpected(text.error()));
    } else {
      taken = Mismatch(column, type);
    }
    if (!taken) return In(column.name, taken.error());
    SetPresent(index);
    return {};
  }

  static Reason Mismatch(const RowLayout::Column& column, ondemand::json_type type) {
    return std::unexpected(
        fmt::format("is {}, the column holds {}", TypeName(type), TypeName(column.kind)));
  }

  Reason TakeString(const RowLayout::Column& column, ondemand::value value) {
    const auto text = Text(value);
    if (!text) return std::unexpected(text.error());
    std::memcpy(row_ + used_, text->data(), text->size());
    Store(row_ + column.offset,
          StringSlot{.offset = used_, .bytes = static_cast<uint32_t>(text->size())});
    used_ += static_cast<uint32_t>(text->size());
    return {};
  }

  Reason TakeInText(const RowLayout::Column& column, ondemand::value value,
                    ValueOr<int64_t> (*parse)(std::string_view)) {
    const auto text = Text(value);
    if (!text) return std::unexpected(text.error());
    const auto parsed = parse(*text);
    if (!parsed) return std::unexpected(parsed.error());
    Store(row_ + column.offset, *parsed);
    return {};
  }

  Reason TakeNumber(const RowLayout::Column& column, std::string_view token) {
    const auto store = [&](const auto& value) -> Reason {
      if (!value) return std::unexpected(value.error());
      Store(row_ + column.offset, *value);
      return {};
    };
    switch (column.kind) {
      case Kind::kInt64:
        return store(ParseInt64(token));
      case Kind::kDouble:
        return store(ParseDouble(token));
      case Kind::kDecimal:
        return store(ParseDecimal(token, column.precision, column.scale));
      default:
        return Mismatch(column, ondemand::json_type::number);
    }
  }

  const RowLayout& layout_;
  const std::string organisation_field_;
  const UnknownFields unknown_fields_;
  const size_t line_bytes_max_;
  ondemand::parser parser_;
  std::string organisation_;
  bool organisation_seen_ = false;
  bool has_organisation_ = false;
  std::unordered_set<std::string> unknown_names_;
  std::vector<uint64_t> seen_;  ///< The stamp of the row that had the column last.
  uint64_t stamp_ = 0;
  size_t next_ = 0;
  char* row_ = nullptr;
  uint32_t used_ = 0;
  int64_t ignored_fields_ = 0;
};

NdjsonRowParser::NdjsonRowParser(const RowLayout& layout, std::string organisation_field,
                                 UnknownFields unknown_fields, size_t line_bytes_max)
    : implementation_(std::make_unique<Implementation>(layout, std::move(organisation_field),
                                                       unknown_fields, line_bytes_max)) {}

NdjsonRowParser::~NdjsonRowParser() = default;

std::expected<std::string_view, std::string> NdjsonRowParser::Parse(std::string_view line,
                                                                    Buffer& rows) {
  return implementation_->Parse(line, rows);
}

int64_t NdjsonRowParser::ignored_fields() const { return implementation_->ignored_fields(); }

}  // namespace spillway::lake
