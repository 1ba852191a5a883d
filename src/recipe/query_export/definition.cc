#include "recipe/definition.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include <fmt/format.h>

#include "base/nearest_name.h"
#include "postgres/connection.h"
#include "recipe/query_export/parameters.h"
#include "recipe/query_export/query_export.h"
#include "recipe/query_export/query_settings.h"
#include "source/postgres/named_query.h"

namespace spillway::recipe::query_export {
namespace {

using postgres_source::DatabaseSettings;

/// The parameters that a request has to give; absent where the query does not read.
std::optional<std::vector<request::ValueName>> NamesOf(const QuerySettings& settings) {
  if (settings.query.empty() && settings.table.empty()) return std::nullopt;
  std::vector<request::ValueName> names;
  if (settings.query.empty()) return names;
  const auto query = postgres_source::NamedQuery::Parse(settings.query);
  if (!query.has_value()) return std::nullopt;
  for (const std::string& name : query->names()) {
    if (name == kOrganisationParameter || settings.parameters.contains(name)) continue;
    names.push_back({.name = name, .is_tick = name == kTickParameter});
  }
  return names;
}

/// A query that asks for :organisation has one.
request::Form::Organisation OrganisationOf(const QuerySettings& settings) {
  using Organisation = request::Form::Organisation;
  const auto query = postgres_source::NamedQuery::Parse(settings.query);
  const bool asks =
      query.has_value() &&
      std::ranges::find(query->names(), kOrganisationParameter) != query->names().end();
  return asks ? Organisation::kRequired : Organisation::kOptional;
}

Result<std::string> Connect(const DatabaseSettings& database) {
  const auto connection =
      TRY(postgres::Connection::Open(database.url, {.application_name = "spillway doctor",
                                                    .connect_timeout = std::chrono::seconds(5)}));
  const int version = connection->server_version();
  return fmt::format("{}, version {}.{}", connection->server(), version / 10'000, version % 10'000);
}

class QueryExportDefinition final : public Definition {
 public:
  std::string_view name() const override { return QueryExport::kName; }
  std::string_view summary() const override { return "a table or a query of PostgreSQL"; }

  std::vector<std::string> examples() const override {
    return {"plan orders -p since=2025-01-01", "run orders -p since=2025-01-01 --format parquet"};
  }

  std::shared_ptr<const config::AnySection> settings() const override {
    return std::make_shared<config::SectionOf<QuerySettings>>(DeclareQuery());
  }

  void Check(const std::string& path, const config::AnyValue& any, const SharedSettings& shared,
             config::Complaints& complaints) const override {
    const auto& settings = any.As<QuerySettings>();
    CheckDatabase(path, settings, shared, complaints);
    if (settings.query.empty() && !settings.parameters.empty())
      complaints.About(path + ".parameters", "is for a query, and a table is read; remove it");
    if (settings.query.empty()) return;
    const auto query = postgres_source::NamedQuery::Parse(settings.query);
    if (!query.has_value())
      return complaints.About(path + ".query", "does not read: " + query.error().message);
    for (const auto& [name, value] : settings.parameters) {
      if (name == kOrganisationParameter) {
        complaints.About(path + ".parameters." + name,
                         "is always the organisation that an export is of; remove it, or give the "
                         "query a parameter of another name");
        continue;
      }
      if (std::ranges::find(query->names(), name) != query->names().end()) continue;
      complaints.About(path + ".parameters." + name, "is no parameter of the query; remove it");
    }
  }

  request::Form form(const config::AnyValue& any) const override {
    const auto& settings = any.As<QuerySettings>();
    request::Form form{.of = "exports of queries",
                       .organisation = OrganisationOf(settings),
                       .fields = {{.name = "parameters",
                                   .kind = request::Field::Kind::kValues,
                                   .help = "values of the query's parameters, by name",
                                   .flag = "param",
                                   .letter = 'p',
                                   .names = NamesOf(settings)},
                                  {.name = "time_zone",
                                   .help = "IANA time zone that times are written in",
                                   .letter = 'z'}}};
    std::ranges::move(OutputFields(), std::back_inserter(form.fields));
    return form;
  }

  request::Problems CheckParameters(const config::AnyValue& settings, std::string_view parameters,
                                    const SharedSettings& /*shared*/) const override {
    const OutputSettings& output = settings.As<QuerySettings>();
    const auto read = QueryExportParametersFromJson(parameters, OptionsOf(output, ""));
    if (!read.has_value()) return {{.field = "", .message = read.error().message}};
    return ProblemsOf(read->output, parameters);
  }

  std::string time_zone(const config::AnyValue& settings) const override {
    return settings.As<QuerySettings>().time_zone;
  }

  Result<std::unique_ptr<Recipe>> Make(const std::vector<Export>& exports,
                                       Resources& resources) const override {
    std::map<std::string, QueryExportOptions, std::less<>> options;
    for (const Export& each : exports) {
      const auto& settings = each.settings.As<QuerySettings>();
      QueryExportOptions& made =
          options
              .emplace(each.name,
                       OptionsOf(settings, resources.settings().databases.at(settings.database),
                                 each.destination))
              .first->second;
      constexpr std::string_view kParameters = "parameters.";
      for (const std::string& path : each.from_variables) {
        if (path.starts_with(kParameters))
          made.concealed.push_back("/parameters/" + path.substr(kParameters.size()));
      }
    }
    return std::make_unique<QueryExport>(std::move(options), resources);
  }

  void Examine(const std::vector<Export>& exports, const SharedSettings& shared,
               const Recipe& recipe, Examination& examination) const override {
    const auto& queries = dynamic_cast<const QueryExport&>(recipe);
    for (const auto& [name, database] : shared.databases) {
      if (!examination.Look("database " + name, [&] { return Connect(database); })) continue;
      for (const Export& each : exports) {
        const auto& settings = each.settings.As<QuerySettings>();
        if (settings.database != name) continue;
        const std::string what = settings.table.empty() ? "query" : "table " + settings.table;
        examination.Look(
            fmt::format("export {}, {}", each.name, what), [&]() -> Result<std::string> {
              const int64_t columns = TRY(queries.Examine(each.name, {}));
              return fmt::format("can be read, {} column{}", columns, columns == 1 ? "" : "s");
            });
      }
    }
  }

 private:
  static void CheckDatabase(const std::string& path, const QuerySettings& settings,
                            const SharedSettings& shared, config::Complaints& complaints) {
    if (settings.database.empty() || shared.databases.contains(settings.database)) return;
    std::vector<std::string> known;
    for (const auto& [name, database] : shared.databases) known.push_back(name);
    const auto nearest = NearestName(settings.database, known);
    complaints.About(
        path + ".database",
        fmt::format("is {}, which is none of databases; {}", config::Quoted(settings.database),
                    nearest ? "did you mean " + *nearest + "?" : "add it there"),
        {"databases"});
  }
};

}  // namespace

std::unique_ptr<const Definition> Define() { return std::make_unique<QueryExportDefinition>(); }

}  // namespace spillway::recipe::query_export
