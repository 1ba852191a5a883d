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

}  // namespace

void PrintError(const Error& error, bool json) {
  if (error.message.empty()) return;
  if (json) {
    Write(stderr, nlohmann::ordered_json{{"error",
                                          {{"code", Name(error.code)}, {"message", error.message}}}}
                      .dump());
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

void PrintLine(std::string_view line) { Write(stdout, line); }

void PrintJson(const nlohmann::ordered_json& json) {
  Write(stdout, json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

std::string Grouped(int64_t number) {
  std::string digits = std::to_string(number);
  const size_t first = digits.front() == '-' ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

}  // namespace spillway::cli
