#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "engine/job.h"

namespace spillway::cli {

/// A job as `--json` prints it.
nlohmann::ordered_json JobToJson(const engine::Job& job);

/// A finished job in a few lines: what it came to, whether it adds up, where it is.
std::string Summary(const engine::Job& job);

}  // namespace spillway::cli
