#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "lake/lake.h"
#include "recipe/output/output_options.h"
#include "recipe/recipe.h"

namespace spillway::recipe {

/// A message export's canonical parameters.
struct MessageExportParameters {
  std::string organisation;
  TimeRange range;
  OutputOptions output;
};

/// JSON with sorted keys and every field there.
std::string ToJson(const MessageExportParameters& parameters);

/// Reads a request's JSON object over `defaults`: "organisation", "from", "to" (RFC 3339,
/// half-open), and what ReadOutput reads. kInvalidArgument names an unknown or wrong field.
Result<MessageExportParameters> ParametersFromJson(std::string_view json,
                                                   const OutputOptions& defaults);

/// The same of a request, whose organisation is that of who asks.
Result<MessageExportParameters> ParametersOfRequest(const Request& request,
                                                    const OutputOptions& defaults);

}  // namespace spillway::recipe
