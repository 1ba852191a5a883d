#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/section.h"
#include "recipe/output/output_settings.h"
#include "recipe/query_export/query_export.h"
#include "source/postgres/database_settings.h"

namespace spillway::recipe {

/// How a query export is cut: one of these, or the name of a column.
inline constexpr std::string_view kSplitAuto = "auto";
inline constexpr std::string_view kSplitNone = "none";

/// What a query export does where a policy of row security would hide rows.
enum class RowSecurity { kRefuse, kAllow };

struct QuerySettings : OutputSettings {
  std::string database;
  std::string table;
  std::string query;
  std::map<std::string, std::string> parameters;
  std::string split_by{kSplitAuto};
  std::vector<std::string> key;
  RowSecurity row_security = RowSecurity::kRefuse;
  bool operator==(const QuerySettings&) const = default;
};

config::Section<QuerySettings> DeclareQuery();

/// An export with these settings, which reads that database.
QueryExportOptions OptionsOf(const QuerySettings& settings,
                             const postgres_source::DatabaseSettings& database,
                             std::string destination);

}  // namespace spillway::recipe
