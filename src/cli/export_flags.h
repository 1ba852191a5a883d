#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "recipe/recipe.h"
#include "settings/settings.h"

namespace CLI {
class App;
}

namespace spillway::cli {

/// What an export is asked for on the command line. Empty: as the configuration says.
struct ExportFlags {
  std::string export_name = "messages";
  std::string organisation;
  std::string from;
  std::string to;
  std::string through;
  std::string time_zone;
  std::string format;
  std::string compression;
  std::string compression_level;
  std::vector<std::string> columns;  ///< `name` or `source=name`.
  std::optional<std::string> null_marker;
  std::string line_end;
  std::string rows_per_file;
  std::string bytes_per_file;
  std::string on_limit;
  std::string output;                   ///< A directory, or "-".
  std::vector<std::string> parameters;  ///< Of a query: `name=value`.

  void AddTo(CLI::App& command);

  std::string limit;       ///< Of open data: location-days.
  std::string time_limit;  ///< Of open data: "14m".

  /// The recipe that runs the export. kNotFound for a name that is none; kInvalidArgument, saying
  /// what to set, for open data without a database.
  Result<std::string_view> RecipeOf(const Settings& settings) const;

  bool to_standard_output() const { return output == "-"; }

  /// The request; `standard_output` is the destination that "-" stands for.
  Result<recipe::Request> ToRequest(const Settings& settings,
                                    std::string_view standard_output) const;

 private:
  /// Refuses what the recipe would not look at.
  Result<> RefuseOthers(std::string_view recipe) const;
  Result<recipe::Request> OpenDataRequest() const;
  Result<recipe::Request> QueryRequest(std::string_view standard_output) const;
  /// What the files shall look like, into a request's JSON.
  Result<> AddOutput(std::string_view standard_output, nlohmann::json& json) const;
};

/// Who runs this program, for the records.
std::string CurrentUser();

}  // namespace spillway::cli
