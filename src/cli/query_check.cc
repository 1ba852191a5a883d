#include "cli/query_check.h"

#include <chrono>
#include <string>

#include <fmt/format.h>

#include "postgres/connection.h"

namespace spillway::cli {
namespace {

Result<std::string> Connect(const DatabaseSettings& database) {
  const auto connection =
      TRY(postgres::Connection::Open(database.url, {.application_name = "spillway doctor",
                                                    .connect_timeout = std::chrono::seconds(5)}));
  const int version = connection->server_version();
  return fmt::format("{}, version {}.{}", connection->server(), version / 10'000, version % 10'000);
}

}  // namespace

void LookAtQueries(const Settings& settings, const recipe::QueryExport& queries,
                   Examination& examination) {
  for (const auto& [name, database] : settings.databases) {
    if (!examination.Look("database " + name, [&] { return Connect(database); })) continue;
    for (const auto& [export_name, exported] : settings.exports) {
      if (exported.recipe != ExportRecipe::kQueryExport || exported.database != name) continue;
      const std::string what = exported.table.empty() ? "query" : "table " + exported.table;
      examination.Look(
          fmt::format("export {}, {}", export_name, what), [&]() -> Result<std::string> {
            const int64_t columns = TRY(queries.Examine(export_name, {}));
            return fmt::format("can be read, {} column{}", columns, columns == 1 ? "" : "s");
          });
    }
  }
}

}  // namespace spillway::cli
