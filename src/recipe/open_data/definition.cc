#include "recipe/definition.h"

#include "base/random.h"
#include "recipe/open_data/doctor.h"
#include "recipe/open_data/open_data.h"
#include "recipe/open_data/operations.h"
#include "recipe/open_data/recipe_without_database.h"
#include "recipe/open_data/rest.h"
#include "recipe/open_data/settings.h"

namespace spillway::recipe::open_data {
namespace {

class OpenDataDefinition final : public Definition {
 public:
  std::string_view name() const override { return OpenData::kName; }
  std::string_view summary() const override {
    return "daily files that follow a PostgreSQL database's changes";
  }

  std::vector<std::string> examples() const override {
    return {"plan open-data",
            "run open-data --time-limit 14m",
            "open-data migrate --as postgres://owner@db/openaq --track measurements",
            "open-data recount --as postgres://owner@db/openaq",
            "open-data mark --location 12 --from 2024-01-01 --through 2024-01-31",
            "open-data status"};
  }

  std::shared_ptr<const config::AnySection> settings() const override {
    return std::make_shared<config::SectionOf<Settings>>(Declare());
  }

  std::optional<StandingExport> standing() const override {
    return StandingExport{.name = std::string(kExportName),
                          .what = "open data",
                          .section = "open_data",
                          .help = "Daily files of readings, by location: docs/open-data.md."};
  }

  StandingPolicy standing_policy(const config::AnyValue& settings) const override {
    return {.parallel = 1, .retention = settings.As<Settings>().manifest_retention};
  }

  Result<> CheckConfigured(const config::AnyValue& settings) const override {
    return open_data::CheckConfigured(settings.As<Settings>());
  }

  bool IsMeant(const config::AnyValue& any) const override {
    Settings settings = any.As<Settings>();
    settings.directory = Settings().directory;  // It was made absolute.
    return settings != Settings();
  }

  std::vector<Place> PlacesOf(const config::AnyValue& any) const override {
    const auto& settings = any.As<Settings>();
    std::vector<Place> places = {{.what = "open data", .path = settings.destination()}};
    if (settings.manifests)
      places.push_back({.what = "open data, manifests", .path = settings.manifests->string()});
    return places;
  }

  request::Form form(const config::AnyValue& /*settings*/) const override {
    using Kind = request::Field::Kind;
    return {.of = "open data",
            .fields = {{.name = "limit",
                        .kind = Kind::kCount,
                        .help = "location-days at most; 0 for whatever is pending"},
                       {.name = "time_limit",
                        .kind = Kind::kDuration,
                        .help = "claim nothing more when this time nears its end; 0s for no limit",
                        .member = "time_limit_ms",
                        .most = 7 * 86'400'000}}};
  }

  Result<std::unique_ptr<Recipe>> Make(const std::vector<Export>& exports,
                                       Resources& resources) const override {
    const Settings settings =
        exports.empty() ? Settings{} : exports.front().settings.As<Settings>();
    OpenDataOptions options = OptionsOf(settings);
    options.log = &resources.log();
    std::unique_ptr<Recipe> recipe = TRY(OpenData::Make(
        std::move(options),
        [&resources](std::string_view destination) { return resources.Destination(destination); },
        resources.clock(), Random::FromEntropy()));
    const Result<> configured = open_data::CheckConfigured(settings);
    if (configured.has_value()) return recipe;
    return std::make_unique<RecipeWithoutDatabase>(std::move(recipe), configured.error());
  }

  void Examine(const std::vector<Export>& exports, const SharedSettings& /*shared*/,
               const Recipe& /*recipe*/, Examination& examination) const override {
    for (const Export& each : exports)
      open_data::Examine(each.settings.As<Settings>(), examination);
  }

  Result<Remainder> LookForRest(const config::AnyValue& settings) const override {
    return open_data::LookForRest(settings.As<Settings>());
  }

  std::string_view why_files_may_differ() const override {
    return "a later run may have exported these days again, and then its manifest lists them; the "
           "export log says which run that was: SELECT split_part(metadata->>'job', '/', 1) FROM "
           "open_data_export_logs WHERE key = …";
  }

  std::vector<Operation> operations() const override { return Operations(); }
};

}  // namespace

std::unique_ptr<const Definition> Define() { return std::make_unique<OpenDataDefinition>(); }

}  // namespace spillway::recipe::open_data
