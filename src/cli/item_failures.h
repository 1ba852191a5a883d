#pragma once

#include <cstddef>
#include <cstdio>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "job/job.h"
#include "recipe/recipe.h"
#include "store/job_store.h"

namespace spillway::cli {

/// The first rows or items that failed in the chunks that are done, and why: at most `limit` of
/// job.counts.failed. The manifest lists them all, but without causes, which may name what
/// recipients are not to know.
Result<std::vector<engine::ErrorRecord>> FirstFailures(store::JobStore& store,
                                                       const engine::Job& job, size_t limit);

/// As `--json` prints them.
nlohmann::ordered_json FailuresToJson(std::span<const engine::ErrorRecord> failures);

/// A line each.
void PrintFailures(std::span<const engine::ErrorRecord> failures, std::FILE* to);

}  // namespace spillway::cli
