#include "cli/messages.h"

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/control_characters.h"

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

}  // namespace

void PrintError(const Error& error, bool json) {
  if (error.message.empty()) return;
  PrintLine(json ? ToText({{"error", {{"code", Name(error.code)}, {"message", error.message}}}}, -1)
                 : "spillway: " + error.message,
            stderr);
}

ExitCode PrintUsageProblem(const CLI::App& program, const CLI::Error& problem) {
  std::string command = "spillway";
  const CLI::App* deepest = &program;
  while (!deepest->get_subcommands().empty()) {
    deepest = deepest->get_subcommands().front();
    command += " " + deepest->get_name();
  }
  PrintLine("spillway: " + std::string(problem.what()) + "; see: " + command + " --help", stderr);
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
