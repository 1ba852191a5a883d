#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "recipe/output/output_options.h"

namespace spillway::recipe {

/// A query export's canonical parameters.
struct QueryExportParameters {
  std::map<std::string, std::optional<std::string>> values;  ///< Of :name in the query; none: null.
  OutputOptions output;
  std::vector<std::string> concealed = {};  ///< See recipients.h.
};

/// JSON with sorted keys and every field there.
std::string ToJson(const QueryExportParameters& parameters);

/// Reads a request's JSON object over `defaults`: "parameters": {name: text, number, boolean or
/// null}, what of them is concealed, and what ReadOutput reads. kInvalidArgument names an unknown or
/// wrong field.
Result<QueryExportParameters> QueryExportParametersFromJson(std::string_view json,
                                                            const OutputOptions& defaults);

}  // namespace spillway::recipe
