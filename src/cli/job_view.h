#pragma once

#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "engine/progress.h"
#include "job/job.h"
#include "store/job_store.h"

namespace spillway::cli {

/// The job; where there is none, the error says how jobs are listed.
Result<engine::Job> FindJob(store::JobStore& store, const std::string& id);

/// Whether the job's files go to the standard output of the process that asked for it.
bool GoesToStandardOutput(const engine::Job& job);

/// A job as `--json` prints it.
nlohmann::ordered_json JobToJson(const engine::Job& job);

/// What a job with that plan counts: "rows", unless the plan says otherwise.
std::string CountedBy(const std::string& plan);

/// E7, as `--json` prints it; null for what is not known.
nlohmann::ordered_json ProgressToJson(const engine::Progress& progress);

/// E7 in one line: the place in the queue, or the chunks and bytes that are done, the rate and the
/// time left.
std::string ProgressLine(const engine::Progress& progress);

/// E11 in one line: when it expired, and what was removed.
std::string ExpiryLine(const engine::Expiry& expiry);

/// A job in a few lines: how far it is; once it has succeeded, its counts, what else its recipe has
/// counted, and where its files are.
void PrintSummary(const engine::Job& job, std::FILE* to = stdout);

}  // namespace spillway::cli
