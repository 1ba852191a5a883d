#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/messages.h"
#include "settings/settings_file.h"

namespace spillway::cli {
namespace {

Outcome Check(const Invocation& invocation) {
  TRY(invocation.Load());
  if (!invocation.quiet) {
    PrintLine(invocation.config.string() +
              (invocation.HasFile() ? ": good" : ": no file; the defaults are in force"));
  }
  return ExitCode::kSuccess;
}

Outcome Show(const Invocation& invocation) {
  PrintText(EffectiveSettings(TRY(invocation.Load()), invocation.registry));
  return ExitCode::kSuccess;
}

Outcome Schema(const Invocation& invocation) {
  PrintText(SettingsSchema(invocation.registry));
  return ExitCode::kSuccess;
}

}  // namespace

void AddConfig(CLI::App& program, const Invocation& invocation, Action& action) {
  CLI::App* config = program.add_subcommand("config", "check, show or describe the configuration");
  config->require_subcommand(1);
  config->footer(R"(Examples:
  spillway config check
  spillway --config staging.yaml config show
  spillway config schema > spillway.schema.json)");
  const auto add = [&](const char* name, const char* help, Outcome (*act)(const Invocation&)) {
    CLI::App* command = config->add_subcommand(name, help);
    command->footer(std::string("Example:\n  spillway config ") + name);
    command->callback(
        [act, &invocation, &action] { action = [act, &invocation] { return act(invocation); }; });
  };
  add("check", "report everything that is wrong, with line and column", Check);
  add("show", "print the settings in effect, without secrets", Show);
  add("schema", "print the JSON Schema of the configuration, for editors", Schema);
}

}  // namespace spillway::cli
