#include "cli/export_flags.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <initializer_list>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/nearest_name.h"
#include "config/scalar.h"
#include "recipe/message_export/message_export.h"
#include "recipe/open_data/open_data.h"
#include "recipe/query_export/query_export.h"
#include "request/time_range.h"
#include "storage/s3_url.h"

namespace spillway::cli {
namespace {

using Json = nlohmann::json;

Result<int64_t> ParseCount(std::string_view flag, std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return Fail(ErrorCode::kInvalidArgument,
                std::string(flag) + ": \"" + std::string(text) + "\" is no count");
  }
  return value;
}

std::unexpected<Error> NoExport(const Settings& settings, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [known_name, ignored] : settings.exports) known.push_back(known_name);
  known.emplace_back(kOpenData);
  const std::optional<std::string> nearest = NearestName(name, known);
  return Fail(ErrorCode::kNotFound,
              "no export named \"" + name + "\" is configured; " +
                  (nearest.has_value() ? "did you mean \"" + *nearest + "\"?"
                                       : "use " + config::Alternatives(known)));
}

Json Columns(const std::vector<std::string>& columns) {
  Json list = Json::array();
  for (const std::string& column : columns) {
    const size_t equals = column.find('=');
    if (equals == std::string::npos) {
      list.push_back(column);
    } else {
      list.push_back({{"source", column.substr(0, equals)}, {"name", column.substr(equals + 1)}});
    }
  }
  return list;
}

Result<std::string> ToText(const Json& json) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    return Fail(ErrorCode::kInvalidArgument,
                "a flag has a value that is not UTF-8; give names and markers as UTF-8");
  }
}

/// A name goes into folders and messages as it is.
Result<> CheckOrganisation(const std::string& organisation) {
  TRY(ToText(Json(organisation)));
  const bool plain =
      std::ranges::none_of(organisation, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (plain) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "--organisation has a control character, such as the end of a line; give a name "
              "without");
}

/// What is empty would pass for what is not given.
std::string CheckGiven(const std::string& text) {
  return text.empty() ? "is empty; give it a value, or leave it out" : "";
}

Result<std::string> DestinationOf(const std::string& output) {
  if (storage::IsUrl(output)) {
    const auto url = storage::ParseS3Url(output);
    if (url.has_value()) return output;
    return Fail(ErrorCode::kInvalidArgument, "--output " + url.error().message);
  }
  std::error_code error;
  const auto directory = std::filesystem::absolute(output, error).lexically_normal();
  if (error) return std::unexpected(FromErrno(error.value(), output));
  return directory.string();
}

}  // namespace

void ExportFlags::AddTo(CLI::App& command) {
  command.add_option("export", export_name, "a configured export, or open-data")
      ->capture_default_str();
  command.add_option("-o,--organisation", organisation, "whose messages");
  command.add_option("--from", from,
                     "first day (2025-01-31, yesterday, last-month), local time "
                     "(2025-01-31T06:00) or instant (…Z)");
  auto* to_option = command.add_option("--to", to, "end of the range, not included");
  command.add_option("--through", through, "last day, included")->excludes(to_option);
  command.add_option("-z,--time-zone", time_zone,
                     "IANA zone of the range, of written times and of daily files");
  command.add_option("-f,--format", format, "csv, json, ndjson or parquet");
  command.add_option("-C,--compression", compression, "none, gzip, zstd, or zip with a file a day");
  command.add_option("--compression-level", compression_level,
                     "1 is fast; 9 (zstd, parquet: 19) is small");
  command.add_option("--columns", columns, "columns and their order: name or source=name")
      ->delimiter(',');
  command.add_option_function<std::string>(
      "--null", [this](const std::string& marker) { null_marker = marker; },
      "what an absent value is written as in CSV");
  command.add_option("--line-end", line_end, "of CSV: crlf or lf");
  command.add_option("--rows-per-file", rows_per_file, "limit of rows a file");
  command.add_option("--bytes-per-file", bytes_per_file,
                     "limit of bytes a file, before compression (64 MiB)");
  command.add_option("--on-limit", on_limit, "split, fail or truncate");
  command.add_option("-p,--param", parameters, "of a query: name=value, for its parameter :name")
      ->take_all()
      ->allow_extra_args(false);
  command.add_option("--limit", limit, "of open-data: location-days at most");
  command.add_option("--time-limit", time_limit,
                     "of open-data: claim nothing more when this time nears its end (14m)");
  command.add_option("-O,--output", output,
                     "directory or s3://bucket/prefix for the files, or - for standard output");
  for (const char* name :
       {"--organisation", "--from", "--to", "--through", "--time-zone", "--format", "--compression",
        "--compression-level", "--line-end", "--rows-per-file", "--bytes-per-file", "--on-limit",
        "--limit", "--time-limit", "--output"})
    command.get_option(name)->check(CheckGiven);
}

Result<std::string_view> ExportFlags::RecipeOf(const Settings& settings) const {
  const auto found = settings.exports.find(export_name);
  if (found != settings.exports.end()) {
    return found->second.recipe == ExportRecipe::kQueryExport ? recipe::QueryExport::kName
                                                              : recipe::MessageExport::kName;
  }
  if (export_name != kOpenData) return NoExport(settings, export_name);
  TRY(CheckConfigured(settings.open_data));
  return recipe::OpenData::kName;
}

Result<> ExportFlags::RefuseOthers(std::string_view recipe) const {
  struct Flag {
    std::string_view name;
    bool given;
    bool messages, query, open_data;  ///< Who takes it.
  };
  const bool messages = recipe == recipe::MessageExport::kName;
  const bool query = recipe == recipe::QueryExport::kName;
  for (const Flag& flag : std::initializer_list<Flag>{
           {"--organisation", !organisation.empty(), true, true, false},
           {"--from", !from.empty(), true, false, false},
           {"--to", !to.empty(), true, false, false},
           {"--through", !through.empty(), true, false, false},
           {"--time-zone", !time_zone.empty(), true, true, false},
           {"--format", !format.empty(), true, true, false},
           {"--compression", !compression.empty(), true, true, false},
           {"--compression-level", !compression_level.empty(), true, true, false},
           {"--columns", !columns.empty(), true, true, false},
           {"--null", null_marker.has_value(), true, true, false},
           {"--line-end", !line_end.empty(), true, true, false},
           {"--rows-per-file", !rows_per_file.empty(), true, true, false},
           {"--bytes-per-file", !bytes_per_file.empty(), true, true, false},
           {"--on-limit", !on_limit.empty(), true, true, false},
           {"--output", !output.empty(), true, true, false},
           {"--param", !parameters.empty(), false, true, false},
           {"--limit", !limit.empty(), false, false, true},
           {"--time-limit", !time_limit.empty(), false, false, true}}) {
    if (!flag.given || (messages ? flag.messages : query ? flag.query : flag.open_data)) continue;
    std::string message(flag.name);
    if (messages) {
      message += flag.query ? " is for exports of recipe query_export" : " is for open-data";
    } else if (query) {
      message += flag.messages ? " is for messages; give a query's parameters as --param name=value"
                               : " is for open-data";
    } else {
      message += " is not for open-data, whose files are as the section open_data says";
    }
    return Fail(ErrorCode::kInvalidArgument, std::move(message));
  }
  return {};
}

Result<recipe::Request> ExportFlags::OpenDataRequest() const {
  Json json = Json::object();
  if (!limit.empty()) json["limit"] = TRY(ParseCount("--limit", limit));
  if (!time_limit.empty()) {
    const auto duration = config::ParseDuration(time_limit);
    if (!duration.has_value()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "--time-limit: \"" + time_limit + "\" is no duration like 14m");
    }
    json["time_limit_ms"] = duration->count();
  }
  return recipe::Request{
      .export_name = export_name, .parameters = json.dump(), .requested_by = CurrentUser()};
}

Result<> ExportFlags::AddOutput(std::string_view standard_output, Json& json) const {
  if (!format.empty()) json["format"] = format;
  if (!compression.empty()) json["compression"] = compression;
  if (!compression_level.empty()) {
    json["compression_level"] = TRY(ParseCount("--compression-level", compression_level));
  }
  if (!columns.empty()) json["columns"] = Columns(columns);
  if (null_marker.has_value()) json["csv"]["null_marker"] = *null_marker;
  if (!line_end.empty()) {
    if (line_end != "lf" && line_end != "crlf") {
      return Fail(ErrorCode::kInvalidArgument,
                  "--line-end: must be crlf or lf, not \"" + line_end + "\"");
    }
    json["csv"]["line_end"] = line_end == "lf" ? "\n" : "\r\n";
  }
  if (!rows_per_file.empty())
    json["limits"]["rows_per_file"] = TRY(ParseCount("--rows-per-file", rows_per_file));
  if (!bytes_per_file.empty()) {
    const std::optional<config::ByteSize> bytes = config::ParseByteSize(bytes_per_file);
    if (!bytes.has_value()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "--bytes-per-file: \"" + bytes_per_file + "\" is no size like 64 MiB");
    }
    json["limits"]["bytes_per_file"] = bytes->bytes;
  }
  if (!on_limit.empty()) json["limits"]["on_limit"] = on_limit;
  if (to_standard_output()) {
    json["destination"] = standard_output;
  } else if (!output.empty()) {
    json["destination"] = TRY(DestinationOf(output));
  }
  return {};
}

Result<recipe::Request> ExportFlags::QueryRequest(std::string_view standard_output) const {
  Json json = {{"parameters", Json::object()}};
  TRY(CheckOrganisation(organisation));
  for (const std::string& parameter : parameters) {
    const size_t equals = parameter.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument, "--param: \"" + parameter + "\" is not name=value");
    }
    json["parameters"][parameter.substr(0, equals)] = parameter.substr(equals + 1);
  }
  if (!time_zone.empty()) json["time_zone"] = time_zone;
  TRY(AddOutput(standard_output, json));
  std::string text = TRY(ToText(json));
  return recipe::Request{.export_name = export_name,
                         .tenant = organisation,
                         .parameters = std::move(text),
                         .requested_by = CurrentUser()};
}

Result<recipe::Request> ExportFlags::ToRequest(const Settings& settings,
                                               std::string_view standard_output) const {
  const std::string_view recipe = TRY(RecipeOf(settings));
  TRY(RefuseOthers(recipe));
  if (recipe == recipe::OpenData::kName) return OpenDataRequest();
  if (recipe == recipe::QueryExport::kName) return QueryRequest(standard_output);
  if (organisation.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "--organisation is required: whose messages");
  }
  if (from.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "--from is required: the first day");
  }
  const ExportSettings& defaults = settings.exports.at(export_name);
  const std::string zone = time_zone.empty() ? defaults.time_zone : time_zone;
  const auto given = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
  };
  const TimeRange range = TRY(ParseTimeRange({.from = from,
                                              .to = given(to),
                                              .through = given(through),
                                              .time_zone = zone,
                                              .now = SystemClock().Now()}));
  Json json = {{"organisation", organisation},
               {"from", FormatTimestamp(range.begin)},
               {"to", FormatTimestamp(range.end)},
               {"time_zone", zone}};
  TRY(AddOutput(standard_output, json));
  std::string text = TRY(ToText(json));
  return recipe::Request{.export_name = export_name,
                         .tenant = organisation,
                         .parameters = std::move(text),
                         .requested_by = CurrentUser()};
}

std::string CurrentUser() {
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_name : "uid " + std::to_string(getuid());
}

}  // namespace spillway::cli
