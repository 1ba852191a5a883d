#include "recipe/message_export/parameters.h"

#include <sstream>

#include <date/date.h>
#include <nlohmann/json.hpp>

namespace spillway::recipe {
namespace {

Result<Timestamp> ReadInstant(ObjectReader& reader, const std::string& name) {
  std::string text;
  TRY(reader.Read(name, text));
  std::istringstream in(text);
  Timestamp time;
  in >> date::parse("%5FT%TZ", time);  // The end of the year 9999 is in the year 10000.
  if (in.fail() || in.peek() != std::istringstream::traits_type::eof()) {
    return Fail(ErrorCode::kInvalidArgument,
                name + ": \"" + text + "\" is not an instant like 2025-01-31T00:00:00Z");
  }
  return time;
}

}  // namespace

std::string ToJson(const MessageExportParameters& parameters) {
  nlohmann::json json = ToJson(parameters.output);
  json["organisation"] = parameters.organisation;
  json["from"] = FormatTimestamp(parameters.range.begin);
  json["to"] = FormatTimestamp(parameters.range.end);
  return json.dump();
}

Result<MessageExportParameters> ParametersFromJson(std::string_view text,
                                                   const OutputOptions& defaults) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return Fail(ErrorCode::kInvalidArgument, "parameters must be one JSON object");
  MessageExportParameters parameters{.organisation = {}, .range = {}, .output = defaults};
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
  TRY(ReadOutput(reader, parameters.output));
  TRY(reader.RefuseOthers());
  return parameters;
}

Result<MessageExportParameters> ParametersOfRequest(const Request& request,
                                                    const OutputOptions& defaults) {
  auto json = nlohmann::json::parse(request.parameters, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return Fail(ErrorCode::kInvalidArgument, "parameters must be one JSON object");
  if (json.contains("organisation")) {
    return Fail(ErrorCode::kInvalidArgument,
                "organisation is no parameter: an export is of the organisation of who asks");
  }
  if (request.who.organisation.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "messages are exported of one organisation; name it");
  }
  json["organisation"] = request.who.organisation;
  return ParametersFromJson(json.dump(), defaults);
}

}  // namespace spillway::recipe
