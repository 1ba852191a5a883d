#include "settings/query_settings.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/nearest_name.h"

namespace spillway {

using config::Complaints;
using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;

Section<DatabaseSettings> DeclareDatabase() {
  Section<DatabaseSettings> section;
  section.Field("url", &DatabaseSettings::url)
      .Help(
          "Where it is: postgres://user@host:5432/database?sslmode=verify-full, as libpq takes it. "
          "The password may stand in it as ${VARIABLE}, or in the file of PGPASSFILE.")
      .Required()
      .Secret();
  section.Field("statement_timeout", &DatabaseSettings::statement_timeout)
      .Help("A statement that takes longer is ended, and the job fails; 0s for no limit.")
      .Between(milliseconds(0), hours(24 * 7));
  return section;
}

void CheckRecipe(const ExportSettings& settings, Complaints& complaints) {
  const bool table = !settings.table.empty();
  const bool query = !settings.query.empty();
  if (settings.recipe != ExportRecipe::kQueryExport) {
    for (const auto& [field, given] :
         {std::pair("database", !settings.database.empty()), std::pair("table", table),
          std::pair("query", query), std::pair("split_by", settings.split_by != kSplitAuto),
          std::pair("key", !settings.key.empty()),
          std::pair("row_security", settings.row_security != RowSecurity::kRefuse)}) {
      if (given) complaints.About(field, "belongs to recipe query_export; set it", {"recipe"});
    }
    return;
  }
  if (settings.database.empty())
    complaints.About("recipe", "query_export reads a database; name one of databases",
                     {"database"});
  if (!settings.key.empty() && (settings.split_by == kSplitAuto || settings.split_by == kSplitNone))
    complaints.About("key", "is for rows that are split by a column; name that one", {"split_by"});
  if (table && query) complaints.About("query", "stands beside table; give one of them", {"table"});
  if (!table && !query)
    complaints.About("recipe", "query_export reads a table or a query; give one", {"table"});
}

void CheckDatabases(const Settings& settings, Complaints& complaints) {
  std::vector<std::string> known;
  for (const auto& [name, database] : settings.databases) known.push_back(name);
  for (const auto& [name, exported] : settings.exports) {
    if (exported.recipe != ExportRecipe::kQueryExport) continue;
    if (settings.databases.contains(exported.database)) continue;
    const auto nearest = NearestName(exported.database, known);
    complaints.About(
        fmt::format("exports.{}.database", name),
        fmt::format("is {}, which is none of databases; {}", config::Quoted(exported.database),
                    nearest ? "did you mean " + *nearest + "?" : "add it there"),
        {"databases"});
  }
}

}  // namespace spillway
