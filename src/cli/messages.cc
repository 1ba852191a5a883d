#include "cli/messages.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace spillway::cli {
namespace {

/// With control characters, on which a terminal would act, as JSON's escapes; bytes that are not
/// UTF-8 as hexadecimal ones. Ends of lines and tabs stay.
std::string Escaped(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const size_t bytes = Utf8CharacterBytes(text);
    const bool is_control = (first < 0x20 && first != '\n' && first != '\t') || first == 0x7f;
    // U+0080 to U+009F, whose second byte is their number.
    const bool is_long_control =
        bytes == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    if (bytes == 0) {
      escaped += fmt::format("\\x{:02x}", first);
    } else if (is_control || is_long_control) {
      escaped += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[bytes - 1]));
    } else {
      escaped += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return escaped;
}

/// What goes to standard error may have in it what users gave.
void Write(std::FILE* to, std::string_view line) {
  std::string whole = to == stderr ? Escaped(line) : std::string(line);
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
