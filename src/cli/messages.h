#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "cli/exit_code.h"

namespace CLI {
class App;
class Error;
}  // namespace CLI

namespace spillway::cli {

/// To standard error: `spillway: message`, or {"error": {"code", "message"}} in JSON. Nothing for
/// an empty message.
void PrintError(const Error& error, bool json);

/// To standard error: what is wrong with the command line, in one line, and where its help is.
ExitCode PrintUsageProblem(const CLI::App& program, const CLI::Error& problem);

/// With a line break; what goes to standard error, with control characters as escapes.
void PrintLine(std::string_view line, std::FILE* to = stdout);
void PrintJson(const nlohmann::ordered_json& json, std::FILE* to = stdout);

}  // namespace spillway::cli
