#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "engine/progress.h"
#include "job/job.h"

namespace spillway::cli {

/// A job as `--json` prints it.
nlohmann::ordered_json JobToJson(const engine::Job& job);

/// What a job with that plan counts: "rows", unless the plan says otherwise.
std::string CountedBy(const std::string& plan);

/// E7, as `--json` prints it; null for what is not known.
nlohmann::ordered_json ProgressToJson(const engine::Progress& progress);

/// E7 in a line: the place in the queue, or chunks, bytes, rate and time left.
std::string ProgressLine(const engine::Progress& progress);

/// E11 in a line: when, and what was removed.
std::string ExpiryLine(const engine::Expiry& expiry);

/// A job in a few lines: how far it is; once it has succeeded, how it adds up, and where it is.
std::string Summary(const engine::Job& job);

}  // namespace spillway::cli
