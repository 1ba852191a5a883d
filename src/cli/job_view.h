#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "engine/job.h"

namespace spillway::cli {

/// A job as `--json` prints it.
nlohmann::ordered_json JobToJson(const engine::Job& job);

/// A job in a few lines: how far it is; once it has succeeded, how it adds up, and where it is.
std::string Summary(const engine::Job& job);

}  // namespace spillway::cli
