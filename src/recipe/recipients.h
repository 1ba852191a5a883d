#pragma once

#include <array>
#include <string_view>

#include "result/chunk_result.h"

/// What the recipients of an export may read of how it was made. A manifest is theirs: it has the
/// parameters and the source that a recipe records, but no fact of the operator's machines or
/// people.
namespace spillway::recipe {

/// Members of a job's parameters and of its Plan::source that stay in the job's record: where files
/// go, which server and database was read. A recipe that records such a fact names it so.
inline constexpr std::array<std::string_view, 5> kOperatorFacts = {"destination", "manifests",
                                                                   "server", "database", "tables"};

using engine::kExcluded;

}  // namespace spillway::recipe
