#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/messages.h"
#include "cli/version.h"

namespace spillway::cli {

void AddVersion(CLI::App& program, const Invocation& invocation, Action& action) {
  program.add_subcommand("version", "print the version")->callback([&invocation, &action] {
    action = [&invocation]() -> Outcome {
      invocation.json ? PrintJson({{"version", kVersion}})
                      : PrintLine("spillway " + std::string(kVersion));
      return ExitCode::kSuccess;
    };
  });
}

}  // namespace spillway::cli
