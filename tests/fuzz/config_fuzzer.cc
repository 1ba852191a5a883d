// Any bytes as a configuration file, as the value of every kind of variable, and as a range of
// time: no crash, no hang, no secret in a problem; and what is good comes back from what is printed
// of it.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "recipe/registry.h"
#include "request/time_range.h"
#include "settings/settings.h"
#include "settings/settings_file.h"

namespace spillway {
namespace {

void Require(bool holds, const char* what, const std::string& seen) {
  if (holds) return;
  std::fprintf(stderr, "%s:\n%s\n", what, seen.c_str());
  std::abort();
}

void CheckProblems(const config::Problems& problems, std::string_view hidden) {
  Require(!problems.empty(), "refused without a reason", "");
  for (const config::Problem& problem : problems) {
    const std::string line = config::ToString(problem);
    Require(line.find('\n') == std::string::npos, "a problem of several lines", line);
    Require(line.find(hidden) == std::string::npos, "a secret in a problem", line);
  }
}

const recipe::Registry& TheRegistry() {
  static const recipe::Registry kRegistry = recipe::RecipesInProgram();
  return kRegistry;
}

void CheckFile(const std::string& text) {
  const config::Environment environment = {{"A", "hunter2 [not: to, be] seen"}};
  const auto settings = ParseSettings(text, "spillway.yaml", {environment, {}}, TheRegistry());
  if (!settings) return CheckProblems(settings.error(), "hunter2");
  const std::string effective = EffectiveSettings(*settings, TheRegistry());
  const auto again = ParseSettings(effective, "spillway.yaml", {environment, {}}, TheRegistry());
  Require(effective.find("hunter2") == std::string::npos, "a secret in what is in force",
          effective);
  Require(again.has_value() && *again == *settings, "not the same again", effective);
}

/// Gives the text to one variable, a different one for texts of different lengths.
void CheckVariable(const std::string& text) {
  constexpr std::array kVariables = {"SPILLWAY_STATE",
                                     "SPILLWAY_ENGINE_THREADS",
                                     "SPILLWAY_ENGINE_LEASE",
                                     "SPILLWAY_LAKE_LINE_BYTES_MAX",
                                     "SPILLWAY_LAKE_COLUMNS",
                                     "SPILLWAY_EXPORTS_MESSAGES_COLUMNS",
                                     "SPILLWAY_EXPORTS_MESSAGES_CSV_HEADER",
                                     "LOG_LEVEL"};
  const std::string variable = kVariables[text.size() % kVariables.size()];
  const auto settings = ParseSettings("", "spillway.yaml", {{{variable, text}}, {}}, TheRegistry());
  if (settings) {
    EffectiveSettings(*settings, TheRegistry());
  } else {
    Require(!settings.error().empty(), "refused without a reason", variable);
  }
}

void CheckTimeRange(const std::string& text) {
  const size_t half = text.size() / 2;
  const auto range = request::ParseTimeRange(
      {.from = text.substr(0, half), .to = text.substr(half), .time_zone = "Europe/Vienna"});
  Require(!range.has_value() || range->begin < range->end, "an empty range", text);
}

}  // namespace
}  // namespace spillway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  spillway::CheckFile(text);
  if (size <= 512) {
    spillway::CheckVariable(text);
    spillway::CheckTimeRange(text);
  }
  return 0;
}
