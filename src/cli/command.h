#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "recipe/definition.h"
#include "settings/settings.h"

namespace CLI {
class App;
}

namespace spillway::cli {

/// What all commands share: the flags that each of them takes, and the recipes.
struct Invocation {
  std::filesystem::path config = "spillway.yaml";
  bool config_given = false;
  std::filesystem::path env_file;  ///< Empty: .env beside the configuration, if it is there.
  bool json = false;
  bool quiet = false;
  Interrupt& interrupt;
  const recipe::Registry& registry;

  /// The configuration: the file, or the defaults where there is no file and none was named, with
  /// what environment variables set. kInvalidArgument has all problems in its message, unless they
  /// are printed, each on its own line, as they are but for JSON: then it is empty.
  Result<Settings> Load() const;

  /// Whether Load reads a file.
  bool HasFile() const;

  /// The file of variables that Load reads; empty: none.
  std::string EnvFile() const;
};

/// How a command ends: with an exit code, or with an error whose one line is printed.
using Outcome = Result<ExitCode>;

/// What a command line has chosen to do.
using Action = std::function<Outcome()>;

/// Each adds its command to the program. Parsing a command line that names it sets `action`; what
/// `invocation` and `action` refer to outlives the parsing and the action.
void AddInit(CLI::App& program, const Invocation& invocation, Action& action);
void AddIngest(CLI::App& program, const Invocation& invocation, Action& action);
void AddAdopt(CLI::App& program, const Invocation& invocation, Action& action);
void AddLake(CLI::App& program, const Invocation& invocation, Action& action);
void AddCompact(CLI::App& program, const Invocation& invocation, Action& action);
void AddPlan(CLI::App& program, const Invocation& invocation, Action& action);
void AddRun(CLI::App& program, const Invocation& invocation, Action& action);
void AddWorker(CLI::App& program, const Invocation& invocation, Action& action);
void AddStorage(CLI::App& program, const Invocation& invocation, Action& action);
void AddServe(CLI::App& program, const Invocation& invocation, Action& action);
void AddSchedules(CLI::App& program, const Invocation& invocation, Action& action);
void AddJobs(CLI::App& program, const Invocation& invocation, Action& action);
void AddOperations(CLI::App& program, const Invocation& invocation, Action& action);
void AddLink(CLI::App& program, const Invocation& invocation, Action& action);
void AddMigrateState(CLI::App& program, const Invocation& invocation, Action& action);
void AddAdoptKey(CLI::App& program, const Invocation& invocation, Action& action);
void AddVerify(CLI::App& program, const Invocation& invocation, Action& action);
void AddConfig(CLI::App& program, const Invocation& invocation, Action& action);
void AddDoctor(CLI::App& program, const Invocation& invocation, Action& action);
void AddCompletion(CLI::App& program, const Invocation& invocation, Action& action);
void AddVersion(CLI::App& program, const Invocation& invocation, Action& action);

/// The recipes' examples of a command, for its footer; empty: none.
std::string ExamplesOf(const recipe::Registry& registry, std::string_view command);

}  // namespace spillway::cli
