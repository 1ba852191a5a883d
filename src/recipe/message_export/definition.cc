#include "recipe/definition.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/nearest_name.h"
#include "recipe/message_export/message_export.h"
#include "recipe/message_export/parameters.h"
#include "recipe/output/output_settings.h"

namespace spillway::recipe::message_export {
namespace {

config::Complaint CheckColumn(const std::string& source, const lake::LakeSettings& lake) {
  std::vector<std::string> known;
  for (const auto& column : lake.columns) known.push_back(column.name);
  if (std::ranges::find(known, source) != known.end()) return std::nullopt;
  const auto nearest = NearestName(source, known);
  return fmt::format(
      "is {}, which is no column of the lake; {}", config::Quoted(source),
      nearest ? "did you mean " + *nearest + "?" : "use " + config::Alternatives(known));
}

class MessageExportDefinition final : public Definition {
 public:
  std::string_view name() const override { return MessageExport::kName; }
  std::string_view summary() const override {
    return "an organisation's messages of a range of time, out of the lake";
  }

  std::string_view default_export() const override { return "messages"; }

  std::vector<std::string> examples() const override {
    return {"plan messages -o acme --from 2025-01-01 --through 2025-01-31",
            "run messages -o acme --from 2025-01-01 --through 2025-01-31 -z Europe/Vienna",
            "run messages -o acme --from 2025-01-01 --to 2025-02-01 --compression zip",
            "run messages -o acme --from 2025-01-01 --to 2025-02-01 --output - | head"};
  }

  std::shared_ptr<const config::AnySection> settings() const override {
    return std::make_shared<config::SectionOf<OutputSettings>>(DeclareOutput());
  }

  void Check(const std::string& path, const config::AnyValue& settings,
             const SharedSettings& shared, config::Complaints& complaints) const override {
    const auto& columns = settings.As<OutputSettings>().columns;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (const auto complaint = CheckColumn(columns[i].source, shared.lake))
        complaints.About(fmt::format("{}.columns[{}]", path, i), *complaint);
    }
  }

  request::Form form(const config::AnyValue& settings) const override {
    request::Form form{.of = "exports of messages",
                       .organisation = request::Form::Organisation::kRequired,
                       .range_zone = time_zone(settings),
                       .fields = request::RangeFields()};
    std::ranges::move(OutputFields(), std::back_inserter(form.fields));
    return form;
  }

  request::Problems CheckParameters(const config::AnyValue& settings, std::string_view parameters,
                                    const SharedSettings& shared) const override {
    const OutputOptions defaults = OptionsOf(settings.As<OutputSettings>(), "");
    const Request request{.who = {.organisation = "any"}, .parameters = std::string(parameters)};
    const auto read = ParametersOfRequest(request, defaults);
    if (!read.has_value()) return {{.field = "", .message = read.error().message}};
    request::Problems problems = ProblemsOf(read->output, parameters);
    // Those of the settings are looked at with them.
    if (!nlohmann::json::parse(parameters).contains("columns")) return problems;
    for (const OutputColumn& column : read->output.columns) {
      if (auto complaint = CheckColumn(column.source, shared.lake))
        problems.push_back({"columns", *std::move(complaint)});
    }
    return problems;
  }

  std::string time_zone(const config::AnyValue& settings) const override {
    return settings.As<OutputSettings>().time_zone;
  }

  Result<std::unique_ptr<Recipe>> Make(const std::vector<Export>& exports,
                                       Resources& resources) const override {
    std::map<std::string, OutputOptions, std::less<>> defaults;
    for (const Export& each : exports)
      defaults.emplace(each.name, OptionsOf(each.settings.As<OutputSettings>(), each.destination));
    lake::LakeSchema schema = TRY(lake::SchemaOf(resources.settings().lake));
    return std::make_unique<MessageExport>(std::move(defaults), std::move(schema), resources);
  }
};

}  // namespace

std::unique_ptr<const Definition> Define() { return std::make_unique<MessageExportDefinition>(); }

}  // namespace spillway::recipe::message_export
