#include "recipe/query_export/query_settings.h"

#include <utility>

#include "config/checks.h"

namespace spillway::recipe {
namespace {

using config::Complaints;
using config::Section;

void CheckWhatIsRead(const QuerySettings& settings, Complaints& complaints) {
  const bool table = !settings.table.empty();
  const bool query = !settings.query.empty();
  if (settings.database.empty())
    complaints.About("recipe", "query_export reads a database; name one of databases",
                     {"database"});
  if (!settings.key.empty() && (settings.split_by == kSplitAuto || settings.split_by == kSplitNone))
    complaints.About("key", "is for rows that are split by a column; name that one", {"split_by"});
  if (table && query) complaints.About("query", "stands beside table; give one of them", {"table"});
  if (!table && !query)
    complaints.About("recipe", "query_export reads a table or a query; give one", {"table"});
}

}  // namespace

Section<QuerySettings> DeclareQuery() {
  Section<QuerySettings> section;
  section.Field("database", &QuerySettings::database).Help("One of databases.");
  section.Field("table", &QuerySettings::table)
      .Help("What to read, as schema.table; views are fine.");
  section.Field("query", &QuerySettings::query)
      .Help(
          "One SELECT instead of a table; `:name` is a parameter, which a request "
          "gives a value.");
  section.Field("parameters", &QuerySettings::parameters)
      .Help(
          "Values of the query's parameters, by name, which no request can give others. "
          ":organisation is always the organisation that an export is of.")
      .SecretFromVariables();
  section.Field("split_by", &QuerySettings::split_by)
      .Help(
          "How reading is shared between workers. auto: tables by where rows lie "
          "on disk, queries not at all; none: one reader, in the query's order; or a column, best "
          "one with an index, by whose ranges the rows are then ordered.")
      .Check(config::CheckNotEmpty);
  section.Field("key", &QuerySettings::key)
      .Help(
          "With split_by: columns that tell rows apart, [id]. What is read is then "
          "held against what was counted key by key; a table's own primary key is found without.");
  section.Field("row_security", &QuerySettings::row_security)
      .Help(
          "Where a policy of row level security would hide rows from the role. "
          "refuse: the export fails; allow: it has the rows that the policy shows, and its "
          "manifest names the tables.")
      .OneOf({{"refuse", RowSecurity::kRefuse}, {"allow", RowSecurity::kAllow}});
  section.Include(DeclareOutput());
  section.Rule(CheckWhatIsRead);
  return section;
}

QueryExportOptions OptionsOf(const QuerySettings& settings,
                             const postgres_source::DatabaseSettings& database,
                             std::string destination) {
  const bool chosen = settings.split_by == kSplitAuto || settings.split_by == kSplitNone;
  const OutputSettings& output = settings;
  return {.database = settings.database,
          .address = database.url,
          .statement_timeout = database.statement_timeout,
          .table = settings.table,
          .query = settings.query,
          .parameters = settings.parameters,
          .split_by_place = settings.split_by == kSplitAuto && !settings.table.empty(),
          .split_column = chosen ? "" : settings.split_by,
          .key = settings.key,
          .row_security = settings.row_security == RowSecurity::kAllow,
          .output = OptionsOf(output, std::move(destination))};
}

}  // namespace spillway::recipe
