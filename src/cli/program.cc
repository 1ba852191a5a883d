#include "cli/program.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/messages.h"
#include "cli/version.h"

namespace spillway::cli {
namespace {

constexpr const char* kExamples = R"(Examples:
  spillway init                                      write a starting spillway.yaml
  spillway ingest messages.ndjson.gz                 messages into the lake, exactly once
  spillway plan messages --organisation acme --from 2025-01-01 --to 2025-02-01
  spillway run messages --organisation acme --from 2025-01-01 --to 2025-02-01 --compression zip
  spillway verify exports/acme/6f1c…-1               is the delivery whole and unchanged?

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not found, 4 conflict, 5 damaged or unfit data,
6 permission denied, 7 no space or over a limit, 8 try again, 9 lines rejected or items failed, 130 cancelled.)";

void AddCommands(CLI::App& program, const Invocation& invocation, Action& action) {
  program.set_version_flag("--version", "spillway " + std::string(kVersion));
  AddInit(program, invocation, action);
  AddIngest(program, invocation, action);
  AddAdopt(program, invocation, action);
  AddLake(program, invocation, action);
  AddCompact(program, invocation, action);
  AddPlan(program, invocation, action);
  AddRun(program, invocation, action);
  AddWorker(program, invocation, action);
  AddServe(program, invocation, action);
  AddSchedules(program, invocation, action);
  AddJobs(program, invocation, action);
  AddOperations(program, invocation, action);
  AddLink(program, invocation, action);
  AddMigrateState(program, invocation, action);
  AddAdoptKey(program, invocation, action);
  AddVerify(program, invocation, action);
  AddStorage(program, invocation, action);
  AddConfig(program, invocation, action);
  AddDoctor(program, invocation, action);
  AddCompletion(program, invocation, action);
  AddVersion(program, invocation, action);
}

/// Exceptions of libraries are caught where the libraries are called; any that is missed there is
/// reported here.
Outcome Act(const Action& action) {
  try {
    return action();
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kOutOfSpace, "there is not enough memory");
  } catch (const std::exception& unexpected) {
    return Fail(ErrorCode::kInternal,
                std::string("a defect of spillway, please report it: ") + unexpected.what());
  }
}

/// What the flag says where the command line is not understood as a whole.
bool AsksForJson(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc,
                     [](std::string_view argument) { return argument == "--json"; });
}

int Run(int argc, char** argv, Invocation& invocation) {
  Action action;
  CLI::App program("Gets data out whole, and proves that nothing is missing.", "spillway");
  program.footer(kExamples);
  program.require_subcommand(1);
  program.fallthrough();
  CLI::Option* config = program.add_option("-c,--config", invocation.config, "configuration file")
                            ->envname("SPILLWAY_CONFIG")
                            ->capture_default_str();
  program
      .add_option("--env-file", invocation.env_file,
                  "file of variables, NAME=value a line; default: .env beside the configuration")
      ->envname("SPILLWAY_ENV_FILE");
  program.add_flag("--json", invocation.json, "print results as JSON");
  program.add_flag("-q,--quiet", invocation.quiet, "print nothing but errors");
  AddCommands(program, invocation, action);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) return program.exit(problem);
    return static_cast<int>(PrintUsageProblem(program, problem, AsksForJson(argc, argv)));
  }
  invocation.config_given = config->count() > 0;

  const Outcome outcome = Act(action);
  if (outcome.has_value()) return static_cast<int>(*outcome);
  PrintError(outcome.error(), invocation.json);
  return static_cast<int>(ExitCodeFor(outcome.error().code));
}

/// kOutOfSpace when not all that was printed has arrived: a list that a full disk cut short is not
/// to pass for a whole one. A reader that went away, as `head` does, wanted no more.
Result<> FlushPrinted() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return {};
  pollfd output = {STDOUT_FILENO, POLLOUT, 0};
  const bool reader_left = poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
  if (reader_left) return {};
  return Fail(ErrorCode::kOutOfSpace,
              "what was printed is not whole, because standard output cannot be written; is its "
              "disk full?");
}

}  // namespace

int Main(int argc, char** argv, const recipe::Registry& registry) {
  Interrupt interrupt;
  Invocation invocation{.interrupt = interrupt, .registry = registry};
  const int code = Run(argc, argv, invocation);
  const Result<> printed = FlushPrinted();
  if (printed.has_value() || code != static_cast<int>(ExitCode::kSuccess)) return code;
  PrintError(printed.error(), invocation.json);
  return static_cast<int>(ExitCodeFor(printed.error().code));
}

}  // namespace spillway::cli
