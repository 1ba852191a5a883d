#include "recipe/query_export/parameters.h"

#include <nlohmann/json.hpp>

#include "recipe/recipients.h"

namespace spillway::recipe {
namespace {

using Json = nlohmann::json;

Result<std::optional<std::string>> ReadValue(const std::string& name, const Json& value) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return value.get<std::string>();
  if (value.is_primitive()) return value.dump();
  return Fail(ErrorCode::kInvalidArgument,
              "parameters." + name + ": must be a text, number, boolean or null");
}

}  // namespace

std::string ToJson(const QueryExportParameters& parameters) {
  Json json = ToJson(parameters.output);
  json["parameters"] = Json::object();
  for (const auto& [name, value] : parameters.values)
    json["parameters"][name] = value.has_value() ? Json(*value) : Json();
  if (!parameters.concealed.empty()) json[kConcealed] = parameters.concealed;
  return json.dump();
}

Result<QueryExportParameters> QueryExportParametersFromJson(std::string_view text,
                                                            const OutputOptions& defaults) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return Fail(ErrorCode::kInvalidArgument, "parameters must be one JSON object");
  QueryExportParameters parameters{.values = {}, .output = defaults};
  ObjectReader reader(json, "");
  if (const Json* values = TRY(reader.Member("parameters"))) {
    for (const auto& [name, value] : values->items())
      parameters.values[name] = TRY(ReadValue(name, value));
  }
  TRY(reader.Read(kConcealed, parameters.concealed));
  TRY(ReadOutput(reader, parameters.output));
  TRY(reader.RefuseOthers());
  return parameters;
}

}  // namespace spillway::recipe
