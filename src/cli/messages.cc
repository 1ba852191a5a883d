#include "cli/messages.h"

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace spillway::cli {
namespace {

void Write(std::FILE* to, std::string_view line) {
  std::string whole(line);
  whole += '\n';
  static_cast<void>(std::fwrite(whole.data(), 1, whole.size(), to));
  static_cast<void>(std::fflush(to));
}

/// What is not UTF-8 is shown as far as it is.
std::string ToText(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

void PrintError(const Error& error, bool json) {
  if (error.message.empty()) return;
  if (json) {
    Write(stderr,
          ToText({{"error", {{"code", Name(error.code)}, {"message", error.message}}}}, -1));
  } else {
    Write(stderr, "spillway: " + error.message);
  }
}

ExitCode PrintUsageProblem(const CLI::App& program, const CLI::Error& problem) {
  std::string command = "spillway";
  const CLI::App* deepest = &program;
  while (!deepest->get_subcommands().empty()) {
    deepest = deepest->get_subcommands().front();
    command += " " + deepest->get_name();
  }
  Write(stderr, "spillway: " + std::string(problem.what()) + "; see: " + command + " --help");
  return ExitCode::kUsage;
}

void PrintLine(std::string_view line, std::FILE* to) { Write(to, line); }

void PrintJson(const nlohmann::ordered_json& json, std::FILE* to) { Write(to, ToText(json, 2)); }

}  // namespace spillway::cli
