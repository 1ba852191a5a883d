#pragma once

#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "result/chunk_result.h"

/// What people may read of how an export was made: everybody, and those who receive it.
namespace spillway::recipe {

/// Members of a job's parameters and of its Plan::source that stay in the job's record: where files
/// go, which server and database was read. A recipe that records such a fact names it so. A manifest
/// is its recipients': it has the other members, but no fact of the operator's machines or people.
inline constexpr std::array<std::string_view, 5> kOperatorFacts = {"destination", "manifests",
                                                                   "server", "database", "tables"};

/// A member of a job's parameters, or of its Plan::source: a list of JSON Pointers (RFC 6901) to
/// what has in it what a variable of the configuration gave, which may be a secret. The record has
/// it, since workers need it; nobody is shown it (docs/adr/0027).
inline constexpr const char* kConcealed = "concealed";

/// The parameters or the source as people may see them: "(secret)" stands for what is concealed.
nlohmann::ordered_json WithoutSecrets(nlohmann::ordered_json record);

using engine::kExcluded;

}  // namespace spillway::recipe
