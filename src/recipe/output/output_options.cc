#include "recipe/output/output_options.h"

#include <algorithm>
#include <array>
#include <set>

#include <nlohmann/json.hpp>

#include "base/control_characters.h"
#include "envelope/zip/zip.h"
#include "recipe/output/output_settings.h"
#include "recipe/output/part_encoder.h"

namespace spillway::recipe {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 4> kFormats = {"csv", "json", "ndjson", "parquet"};
constexpr std::array<std::string_view, 4> kCompressions = {"none", "gzip", "zstd", "zip"};
constexpr std::array<std::string_view, 3> kOnLimits = {"split", "fail", "truncate"};
constexpr std::array<std::string_view, 2> kQuotings = {"needed", "all"};
constexpr std::array<std::string_view, 2> kWholeFloats = {"with_point", "bare"};

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

Result<> ReadColumns(const Json& json, std::vector<OutputColumn>& columns) {
  columns.clear();
  for (const Json& column : json) {
    if (column.is_string()) {
      columns.push_back({.source = column.get<std::string>(), .name = column.get<std::string>()});
      continue;
    }
    if (!column.is_object())
      return Fail(ErrorCode::kInvalidArgument, "columns: each is a name or {source, name}");
    ObjectReader reader(column, "columns.");
    OutputColumn& read = columns.emplace_back();
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
  TRY(reader.ReadName("whole_floats", csv.whole_floats, [](std::string_view name) {
    return FromName<format::WholeFloats>(kWholeFloats, name, "whole_floats");
  }));
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
  // Rows of files are added up; JSON's numbers are whole up to here.
  constexpr int64_t kRowsPerFileMax = int64_t{1} << 53;
  if (limits.rows_per_file > kRowsPerFileMax) {
    return Fail(ErrorCode::kInvalidArgument,
                "limits.rows_per_file: must be at most " + std::to_string(kRowsPerFileMax));
  }
  limits.bytes_per_file = static_cast<uint64_t>(bytes);
  TRY(reader.ReadName("on_limit", limits.on_limit, OnLimitFromName));
  return reader.RefuseOthers();
}

/// The first member of an object of the request; empty where there is none.
std::string FirstOf(const Json& request, const char* name) {
  const auto found = request.find(name);
  if (found == request.end() || !found->is_object() || found->empty()) return "";
  return found->begin().key();
}

/// What a request asks for in vain.
void AddWhatIsInVain(const OutputOptions& output, const Json& request,
                     request::Problems& problems) {
  const std::string csv = FirstOf(request, "csv");
  if (output.format != FileFormat::kCsv && !csv.empty()) {
    problems.push_back({csv, "is for CSV, and the format is " + std::string(Name(output.format)) +
                                 "; leave it out"});
  }
  if (output.compression_level != kDefaultLevel && !HasLevel(output.format, output.compression)) {
    problems.push_back({"compression_level",
                        "is " + std::to_string(output.compression_level) +
                            ", and nothing is compressed; choose a compression, or leave it out"});
  }
  const auto limits = request.find("limits");
  const bool limited = output.limits.rows_per_file > 0 || output.limits.bytes_per_file > 0;
  if (limits != request.end() && limits->contains("on_limit") && !limited) {
    problems.push_back({"on_limit", "has no limit to act at; limit the rows or bytes of a file"});
  }
}

void AddWhatColumnsLack(const OutputOptions& output, request::Problems& problems) {
  std::set<std::string_view> names;
  for (const OutputColumn& column : output.columns) {
    if (column.name.empty()) {
      problems.push_back({"columns", "gives \"" + column.source + "\" no name"});
    } else if (column.name != column.source && HasControlCharacter(column.name)) {
      problems.push_back({"columns", "gives \"" + column.source +
                                         "\" a name with a control character, such as the end of "
                                         "a line; remove it"});
    } else if (!names.insert(column.name).second) {
      problems.push_back(
          {"columns", "has two named \"" + column.name + "\"; give each its own name"});
    }
  }
}

/// What a request does not have, the configuration has given: there it has to be corrected.
void NameWhatIsConfigured(const Json& request, request::Problems& problems) {
  const std::vector<request::Field> fields = OutputFields();
  for (request::Problem& problem : problems) {
    const auto field = std::ranges::find(fields, problem.field, &request::Field::name);
    if (field == fields.end()) continue;
    const std::string path(field->path());
    std::string pointer = "/" + path;
    std::ranges::replace(pointer, '.', '/');
    if (request.contains(Json::json_pointer(pointer))) continue;
    problem = {.field = "", .message = "the configuration's " + path + " " + problem.message};
  }
}

/// Standard output takes one file.
void AddWhatSplits(const OutputOptions& output, request::Problems& problems) {
  if (!output.destination.starts_with('-') || output.compression == Compression::kZip) return;
  if (output.limits.on_limit != OnLimit::kSplit) return;
  const auto add = [&](const char* field, uint64_t limit) {
    if (limit == 0) return;
    problems.push_back({field, "is " + std::to_string(limit) +
                                   ", which makes several files, and standard output takes one; "
                                   "use 0, or write to a directory"});
  };
  add("rows_per_file", static_cast<uint64_t>(output.limits.rows_per_file));
  add("bytes_per_file", output.limits.bytes_per_file);
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

Json ToJson(const OutputOptions& output) {
  Json columns = Json::array();
  for (const auto& [source, name] : output.columns)
    columns.push_back({{"source", source}, {"name", name}});
  return {{"format", Name(output.format)},
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
            {"escape_formulas", output.csv.escape_formulas},
            {"whole_floats", kWholeFloats[static_cast<size_t>(output.csv.whole_floats)]}}},
          {"limits",
           {{"rows_per_file", output.limits.rows_per_file},
            {"bytes_per_file", output.limits.bytes_per_file},
            {"columns_max", output.limits.columns_max},
            {"on_limit", Name(output.limits.on_limit)}}},
          {"destination", output.destination}};
}

Result<> ReadOutput(ObjectReader& reader, OutputOptions& output) {
  const FileFormat default_format = output.format;
  const Compression default_compression = output.compression;
  TRY(reader.ReadName("format", output.format, FileFormatFromName));
  TRY(reader.ReadName("compression", output.compression, CompressionFromName));
  const bool same = output.compression == default_compression &&
                    CompressesInside(output.format) == CompressesInside(default_format);
  if (!same) output.compression_level = kDefaultLevel;
  TRY(reader.Read("compression_level", output.compression_level));
  if (const Json* columns = reader.Find("columns")) TRY(ReadColumns(*columns, output.columns));
  TRY(reader.Read("time_zone", output.time_zone));
  if (const Json* csv = TRY(reader.Member("csv"))) TRY(ReadCsv(*csv, output.csv));
  if (const Json* limits = TRY(reader.Member("limits"))) TRY(ReadLimits(*limits, output.limits));
  return reader.Read("destination", output.destination);
}

request::Problems ProblemsOf(const OutputOptions& output, std::string_view request) {
  request::Problems problems;
  const Json asked = Json::parse(request, nullptr, /*allow_exceptions=*/false);
  AddWhatIsInVain(output, asked, problems);
  AddWhatColumnsLack(output, problems);
  AddWhatSplits(output, problems);
  const Limits& limits = output.limits;
  if (output.format == FileFormat::kParquet) {
    if (output.compression == Compression::kGzip || output.compression == Compression::kZstd) {
      problems.push_back({"compression", "is " + std::string(Name(output.compression)) +
                                             ", and parquet compresses inside; use none or zip"});
    }
    if (limits.bytes_per_file > 0) {
      problems.push_back(
          {"bytes_per_file", "cannot be kept for parquet; limit the rows of a file instead"});
    }
  }
  const bool truncates = limits.on_limit == OnLimit::kTruncate && limits.bytes_per_file > 0;
  if (truncates && output.format == FileFormat::kJson) {
    problems.push_back({"on_limit",
                        "is truncate, and a JSON array cannot be cut by bytes; use ndjson, or "
                        "limit the rows of a file instead"});
  }
  const int level_max = LevelMax(output.format, output.compression);
  if (output.compression_level > level_max) {
    problems.push_back({"compression_level", "is " + std::to_string(output.compression_level) +
                                                 ", which only zstd has; use 1 to " +
                                                 std::to_string(level_max)});
  }
  const auto marker = format::CheckCsvNullMarker(output.csv.null_marker, output.csv.delimiter);
  if (output.format == FileFormat::kCsv && !marker.has_value())
    problems.push_back({"null_marker", marker.error().message});
  NameWhatIsConfigured(asked, problems);
  if (!problems.empty()) return problems;
  // Whatever else formats and compressions refuse.
  const auto kind = FileKind::Make(output);
  if (!kind.has_value()) return {{.field = "", .message = kind.error().message}};
  if (output.compression == Compression::kZip) {
    const auto member = envelope::NewZipMember("member", {}, output.compression_level);
    if (!member.has_value()) return {{.field = "", .message = member.error().message}};
  }
  return {};
}

Result<> CheckOutput(const OutputOptions& output, std::string_view request) {
  const request::Problems problems = ProblemsOf(output, request);
  if (problems.empty()) return {};
  const auto& [field, message] = problems.front();
  return Fail(ErrorCode::kInvalidArgument, field + (field.empty() ? "" : " ") + message);
}

Result<> CheckColumns(const Limits& limits, int64_t columns) {
  if (limits.columns_max == 0 || columns <= limits.columns_max) return {};
  return Fail(ErrorCode::kInvalidArgument, std::to_string(columns) +
                                               " columns are more than limits.columns_max " +
                                               std::to_string(limits.columns_max) + " allows");
}

}  // namespace spillway::recipe
