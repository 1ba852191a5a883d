#include "recipe/message_export/options.h"

#include <algorithm>
#include <array>
#include <span>
#include <sstream>

#include <date/date.h>
#include <nlohmann/json.hpp>

#include "base/nearest_name.h"

namespace spillway::recipe {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 4> kFormats = {"csv", "json", "ndjson", "parquet"};
constexpr std::array<std::string_view, 4> kCompressions = {"none", "gzip", "zstd", "zip"};
constexpr std::array<std::string_view, 3> kOnLimits = {"split", "fail", "truncate"};
constexpr std::array<std::string_view, 2> kQuotings = {"needed", "all"};

std::string DidYouMean(std::string_view name, std::span<const std::string> known) {
  const std::optional<std::string> nearest = NearestName(name, known);
  return nearest.has_value() ? "; did you mean \"" + *nearest + "\"?" : "";
}

template <class Enum, size_t kSize>
Result<Enum> FromName(const std::array<std::string_view, kSize>& names, std::string_view name,
                      std::string_view what) {
  std::string known;
  for (size_t i = 0; i < kSize; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
    known += (i == 0 ? "" : ", ") + std::string(names[i]);
  }
  return Fail(ErrorCode::kInvalidArgument, "unknown " + std::string(what) + " \"" +
                                               std::string(name) + "\"; there are " + known);
}

/// Reads the members of one JSON object, and names those that nobody asked for.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {}

  template <class T>
  Result<> Read(const std::string& name, T& into) {
    names_.push_back(name);
    const auto found = object_.find(name);
    if (found == object_.end()) return {};
    try {
      found->get_to(into);
    } catch (const Json::exception&) {
      return Fail(ErrorCode::kInvalidArgument,
                  where_ + name + ": a " + found->type_name() + " does not fit");
    }
    return {};
  }

  template <class Enum, class Parse>
  Result<> ReadName(const std::string& name, Enum& into, Parse parse) {
    std::string text;
    TRY(Read(name, text));
    if (!text.empty()) into = TRY(parse(text));
    return {};
  }

  /// The member if it is there and an object.
  Result<const Json*> Member(const std::string& name) {
    names_.push_back(name);
    const auto found = object_.find(name);
    if (found == object_.end()) return nullptr;
    if (!found->is_object())
      return Fail(ErrorCode::kInvalidArgument, where_ + name + ": must be an object");
    return &*found;
  }

  const Json* Find(const std::string& name) {
    names_.push_back(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  Result<> RefuseOthers() const {
    for (const auto& [name, value] : object_.items()) {
      if (std::ranges::find(names_, name) != names_.end()) continue;
      return Fail(ErrorCode::kInvalidArgument,
                  "unknown parameter \"" + where_ + name + "\"" + DidYouMean(name, names_));
    }
    return {};
  }

 private:
  const Json& object_;
  const std::string where_;
  std::vector<std::string> names_;
};

Result<Timestamp> ReadInstant(ObjectReader& reader, const std::string& name) {
  std::string text;
  TRY(reader.Read(name, text));
  std::istringstream in(text);
  Timestamp time;
  in >> date::parse("%FT%TZ", time);
  if (in.fail() || in.peek() != std::istringstream::traits_type::eof()) {
    return Fail(ErrorCode::kInvalidArgument,
                name + ": \"" + text + "\" is not an instant like 2025-01-31T00:00:00Z");
  }
  return time;
}

Result<> ReadColumns(const Json& json, std::vector<lake::Projection::Column>& columns) {
  columns.clear();
  for (const Json& column : json) {
    if (column.is_string()) {
      columns.push_back({.source = column.get<std::string>(), .name = column.get<std::string>()});
      continue;
    }
    if (!column.is_object())
      return Fail(ErrorCode::kInvalidArgument, "columns: each is a name or {source, name}");
    ObjectReader reader(column, "columns.");
    lake::Projection::Column& read = columns.emplace_back();
    TRY(reader.Read("source", read.source));
    read.name = read.source;
    TRY(reader.Read("name", read.name));
    TRY(reader.RefuseOthers());
  }
  return {};
}

Result<> ReadCsv(const Json& json, format::CsvOptions& csv) {
  ObjectReader reader(json, "csv.");
  std::string delimiter(1, csv.delimiter);
  TRY(reader.Read("delimiter", delimiter));
  if (delimiter.size() != 1)
    return Fail(ErrorCode::kInvalidArgument, "csv.delimiter: must be one character");
  csv.delimiter = delimiter.front();
  TRY(reader.Read("line_end", csv.line_end));
  if (csv.line_end != "\n" && csv.line_end != "\r\n") {
    return Fail(ErrorCode::kInvalidArgument, "csv.line_end: must be \\n or \\r\\n");
  }
  TRY(reader.Read("null_marker", csv.null_marker));
  TRY(reader.ReadName("quoting", csv.quoting, [](std::string_view name) {
    return FromName<format::Quoting>(kQuotings, name, "quoting");
  }));
  TRY(reader.Read("header", csv.header));
  TRY(reader.Read("byte_order_mark", csv.byte_order_mark));
  TRY(reader.Read("escape_formulas", csv.escape_formulas));
  return reader.RefuseOthers();
}

Result<> ReadLimits(const Json& json, Limits& limits) {
  ObjectReader reader(json, "limits.");
  TRY(reader.Read("rows_per_file", limits.rows_per_file));
  int64_t bytes = static_cast<int64_t>(limits.bytes_per_file);
  TRY(reader.Read("bytes_per_file", bytes));
  TRY(reader.Read("columns_max", limits.columns_max));
  if (limits.rows_per_file < 0 || bytes < 0 || limits.columns_max < 0) {
    return Fail(ErrorCode::kInvalidArgument, "limits: must not be negative; 0 means none");
  }
  limits.bytes_per_file = static_cast<uint64_t>(bytes);
  TRY(reader.ReadName("on_limit", limits.on_limit, OnLimitFromName));
  return reader.RefuseOthers();
}

}  // namespace

std::string_view Name(FileFormat format) { return kFormats[static_cast<size_t>(format)]; }
std::string_view Name(Compression compression) {
  return kCompressions[static_cast<size_t>(compression)];
}
std::string_view Name(OnLimit on_limit) { return kOnLimits[static_cast<size_t>(on_limit)]; }

Result<FileFormat> FileFormatFromName(std::string_view name) {
  return FromName<FileFormat>(kFormats, name, "format");
}
Result<Compression> CompressionFromName(std::string_view name) {
  return FromName<Compression>(kCompressions, name, "compression");
}
Result<OnLimit> OnLimitFromName(std::string_view name) {
  return FromName<OnLimit>(kOnLimits, name, "on_limit");
}

std::string ToJson(const MessageExportParameters& parameters) {
  const OutputOptions& output = parameters.output;
  Json columns = Json::array();
  for (const auto& [source, name] : output.columns)
    columns.push_back({{"source", source}, {"name", name}});
  return Json{{"organisation", parameters.organisation},
              {"from", FormatTimestamp(parameters.range.begin)},
              {"to", FormatTimestamp(parameters.range.end)},
              {"format", Name(output.format)},
              {"compression", Name(output.compression)},
              {"compression_level", output.compression_level},
              {"columns", std::move(columns)},
              {"time_zone", output.time_zone},
              {"csv",
               {{"delimiter", std::string(1, output.csv.delimiter)},
                {"line_end", output.csv.line_end},
                {"null_marker", output.csv.null_marker},
                {"quoting", kQuotings[static_cast<size_t>(output.csv.quoting)]},
                {"header", output.csv.header},
                {"byte_order_mark", output.csv.byte_order_mark},
                {"escape_formulas", output.csv.escape_formulas}}},
              {"limits",
               {{"rows_per_file", output.limits.rows_per_file},
                {"bytes_per_file", output.limits.bytes_per_file},
                {"columns_max", output.limits.columns_max},
                {"on_limit", Name(output.limits.on_limit)}}},
              {"destination", output.destination}}
      .dump();
}

Result<MessageExportParameters> ParametersFromJson(std::string_view text,
                                                   const OutputOptions& defaults) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return Fail(ErrorCode::kInvalidArgument, "parameters must be one JSON object");
  MessageExportParameters parameters{.organisation = {}, .range = {}, .output = defaults};
  OutputOptions& output = parameters.output;
  ObjectReader reader(json, "");
  TRY(reader.Read("organisation", parameters.organisation));
  parameters.range.begin = TRY(ReadInstant(reader, "from"));
  parameters.range.end = TRY(ReadInstant(reader, "to"));
  if (parameters.range.end <= parameters.range.begin) {
    return Fail(ErrorCode::kInvalidArgument,
                "the range ends before it starts (`to` is exclusive): from " +
                    FormatTimestamp(parameters.range.begin) + " to " +
                    FormatTimestamp(parameters.range.end));
  }
  TRY(reader.ReadName("format", output.format, FileFormatFromName));
  TRY(reader.ReadName("compression", output.compression, CompressionFromName));
  TRY(reader.Read("compression_level", output.compression_level));
  if (const Json* columns = reader.Find("columns")) TRY(ReadColumns(*columns, output.columns));
  TRY(reader.Read("time_zone", output.time_zone));
  if (const Json* csv = TRY(reader.Member("csv"))) TRY(ReadCsv(*csv, output.csv));
  if (const Json* limits = TRY(reader.Member("limits"))) TRY(ReadLimits(*limits, output.limits));
  TRY(reader.Read("destination", output.destination));
  TRY(reader.RefuseOthers());
  return parameters;
}

}  // namespace spillway::recipe
