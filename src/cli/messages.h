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

/// A library's text, with the operations that it names as the commands to type: "the operation
/// `export name` with field `text`" becomes "`spillway export name --field text`".
std::string InCommands(std::string_view text);

/// The text as a word of a shell's command.
std::string QuotedForShell(std::string_view text);

/// To standard error: `spillway: message`, or {"error": {"code", "message"}} in JSON. Nothing for
/// an empty message.
void PrintError(const Error& error, bool json);

/// To standard error, as PrintError does: what is wrong with the command line, and where its help
/// is.
ExitCode PrintUsageProblem(const CLI::App& program, const CLI::Error& problem, bool json);

/// One line, whatever is in it: control characters, ends of lines included, are printed as escapes.
/// All that the program prints goes through these three, since it may have in it what others gave:
/// names of files, of columns, errors of servers.
void PrintLine(std::string_view line, std::FILE* to = stdout);
/// Lines, as they are in the text; control characters but tabs as escapes.
void PrintText(std::string_view text, std::FILE* to = stdout);
void PrintJson(const nlohmann::ordered_json& json, std::FILE* to = stdout);

}  // namespace spillway::cli
