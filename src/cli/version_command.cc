#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/messages.h"
#include "cli/version.h"

namespace spillway::cli {

void AddVersion(CLI::App& program, const Invocation& invocation, Action& action) {
  CLI::App* command = program.add_subcommand("version", "print the version");
  command->footer("Example:\n  spillway --json version");
  command->callback([&invocation, &action] {
    action = [&invocation]() -> Outcome {
      invocation.json ? PrintJson({{"version", kVersion}})
                      : PrintLine("spillway " + std::string(kVersion));
      return ExitCode::kSuccess;
    };
  });
}

}  // namespace spillway::cli
