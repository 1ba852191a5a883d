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

/// The text before the character, which is taken off with it; all of it where there is none.
std::string_view CutAt(char end, std::string_view& text) {
  const std::string_view cut = text.substr(0, text.find(end));
  text.remove_prefix(std::min(cut.size() + 1, text.size()));
  return cut;
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

std::string InCommands(std::string_view text) {
  constexpr std::string_view kOperation = "the operation `";
  constexpr std::string_view kWith = " with ";
  std::string worded;
  for (size_t at = text.find(kOperation); at != std::string_view::npos;
       at = text.find(kOperation)) {
    worded += text.substr(0, at);
    text.remove_prefix(at + kOperation.size());
    worded.append("`spillway ").append(CutAt('`', text));
    const std::string_view given = text.starts_with(kWith) ? text.substr(kWith.size()) : "";
    const size_t name = given.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
    if (name != std::string_view::npos && given.substr(name).starts_with(" `")) {
      worded.append(" --").append(given.substr(0, name)).append(" ");
      text = given.substr(name + 2);
      worded += QuotedForShell(CutAt('`', text));
    }
    worded += '`';
  }
  return worded.append(text);
}

std::string QuotedForShell(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/";
  if (text.find_first_not_of(kPlain) == std::string_view::npos) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

void PrintError(const Error& error, bool json) {
  if (error.message.empty()) return;
  const std::string message = InCommands(error.message);
  PrintLine(json ? ToText({{"error", {{"code", Name(error.code)}, {"message", message}}}}, -1)
                 : "spillway: " + message,
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
