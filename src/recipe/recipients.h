#pragma once

#include <array>
#include <string_view>

/// What the recipients of an export may read of how it was made. A manifest is theirs: it has the
/// parameters and the source that a recipe records, but no fact of the operator's machines or
/// people.
namespace spillway::recipe {

/// Members of a job's parameters and of its Plan::source that stay in the job's record: where files
/// go, which server and database was read. A recipe that records such a fact names it so.
inline constexpr std::array<std::string_view, 5> kOperatorFacts = {"destination", "manifests",
                                                                   "server", "database", "tables"};

/// ErrorRecord::classification of what was left out on purpose. Recipients read the message of
/// these; that of a failure may name hosts, paths and users, and stays in the chunk's record.
inline constexpr std::string_view kExcluded = "excluded";

}  // namespace spillway::recipe
