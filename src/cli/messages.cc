#include "cli/messages.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/control_characters.h"
#include "base/nearest_name.h"

namespace spillway::cli {
namespace {

void Write(std::FILE* to, const std::string& text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), to));
  static_cast<void>(std::fflush(to));
}

/// What is not UTF-8 is shown as far as it is.
std::string ToText(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// What is wrong, where the first word that was not understood stands in the place of a command.
std::optional<std::string> UnknownCommand(const CLI::App& program, const CLI::App& deepest) {
  const std::vector<std::string> rest = program.remaining(/*recurse=*/true);
  if (deepest.get_require_subcommand_min() == 0 || rest.empty() || rest.front().starts_with('-'))
    return std::nullopt;
  std::vector<std::string> known;
  for (const CLI::App* command : deepest.get_subcommands([](const CLI::App*) { return true; }))
    known.push_back(command->get_name());
  const std::optional<std::string> nearest = NearestName(rest.front(), known);
  return fmt::format("there is no command \"{}\"{}", rest.front(),
                     nearest ? "; did you mean " + *nearest + "?" : "");
}

}  // namespace

void PrintError(const Error& error, bool json) {
  if (error.message.empty()) return;
  PrintLine(json ? ToText({{"error", {{"code", Name(error.code)}, {"message", error.message}}}}, -1)
                 : "spillway: " + error.message,
            stderr);
}

ExitCode PrintUsageProblem(const CLI::App& program, const CLI::Error& problem, bool json) {
  std::string command = "spillway";
  const CLI::App* deepest = &program;
  while (!deepest->get_subcommands().empty()) {
    deepest = deepest->get_subcommands().front();
    command += " " + deepest->get_name();
  }
  const std::optional<std::string> unknown = UnknownCommand(program, *deepest);
  PrintError({.code = ErrorCode::kInvalidArgument,
              .message = unknown.value_or(problem.what()) + "; see: " + command + " --help"},
             json);
  return ExitCode::kUsage;
}

void PrintLine(std::string_view line, std::FILE* to) {
  Write(to, EscapeControlCharacters(line) + "\n");
}

void PrintText(std::string_view text, std::FILE* to) {
  Write(to, EscapeControlCharacters(text, "\n\t") + (text.ends_with('\n') ? "" : "\n"));
}

void PrintJson(const nlohmann::ordered_json& json, std::FILE* to) {
  PrintText(ToText(json, 2), to);
}

}  // namespace spillway::cli
