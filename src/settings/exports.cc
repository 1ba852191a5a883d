#include "settings/exports.h"

#include "base/nearest_name.h"

namespace spillway {
std::vector<recipe::Export> ExportsOf(const Settings& settings,
                                      const recipe::Definition& definition) {
  std::vector<recipe::Export> exports;
  if (const auto standing = definition.standing()) {
    const config::AnyValue& own = settings.standing.at(standing->section);
    if (definition.CheckConfigured(own).has_value())
      exports.push_back({.name = standing->name, .destination = {}, .settings = own});
    return exports;
  }
  for (const auto& [name, exported] : settings.exports) {
    if (exported.recipe != definition.name()) continue;
    exports.push_back({.name = name,
                       .destination = exported.destination.string(),
                       .settings = exported.own,
                       .from_variables = settings.FromVariablesIn("exports." + name)});
  }
  return exports;
}

std::vector<std::string> ExportNames(const Settings& settings, const recipe::Registry& registry) {
  std::vector<std::string> names;
  for (const auto& definition : registry) {
    if (const auto standing = definition->standing()) {
      names.push_back(standing->name);
      continue;
    }
    for (recipe::Export& exported : ExportsOf(settings, *definition))
      names.push_back(std::move(exported.name));
  }
  return names;
}

Result<ConfiguredExport> FindExport(const Settings& settings, const recipe::Registry& registry,
                                    std::string_view name) {
  for (const auto& definition : registry) {
    for (recipe::Export& exported : ExportsOf(settings, *definition)) {
      if (exported.name == name)
        return ConfiguredExport{.definition = definition.get(),
                                .exported = std::move(exported),
                                .shared = {.lake = settings.lake, .databases = settings.databases}};
    }
    const auto standing = definition->standing();
    if (standing && standing->name == name)
      TRY(definition->CheckConfigured(settings.standing.at(standing->section)));
  }
  const std::vector<std::string> known = ExportNames(settings, registry);
  const auto nearest = NearestName(std::string(name), known);
  return Fail(ErrorCode::kNotFound, "no export named \"" + std::string(name) +
                                        "\" is configured; " +
                                        (nearest         ? "did you mean \"" + *nearest + "\"?"
                                         : known.empty() ? "there are none"
                                                         : "use " + config::Alternatives(known)));
}

std::vector<std::string> PlacesOf(const Settings& settings, const recipe::Registry& registry) {
  std::vector<std::string> places;
  for (const auto& [name, exported] : settings.exports)
    places.push_back(exported.destination.string());
  for (const auto& definition : registry) {
    const auto standing = definition->standing();
    if (!standing) continue;
    for (const recipe::Export& exported : ExportsOf(settings, *definition)) {
      for (recipe::Place& place : definition->PlacesOf(exported.settings))
        places.push_back(std::move(place.path));
    }
  }
  return places;
}

std::string ZoneOf(const ScheduleSettings& schedule, const ConfiguredExport& exported) {
  return schedule.time_zone.value_or(exported.time_zone());
}

request::Texts TextsOf(const ScheduleSettings& schedule, const ConfiguredExport& exported) {
  request::Texts texts = schedule.fields;
  std::erase_if(texts, [](const auto& given) { return given.second.empty(); });
  // Files are named, and split, by the days that the range is of.
  if (exported.form().range_zone.has_value()) texts["time_zone"] = {ZoneOf(schedule, exported)};
  return texts;
}

}  // namespace spillway
