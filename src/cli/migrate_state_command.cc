#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/messages.h"
#include "settings/setting_checks.h"
#include "store/transfer/transfer.h"

namespace spillway::cli {
namespace {

Outcome Migrate(const Invocation& invocation, const StateAddress& to) {
  const Settings settings = TRY(invocation.Load());
  if (const config::Complaint complaint = CheckState(to))
    return Fail(ErrorCode::kInvalidArgument, "--to " + *complaint);
  if (settings.state.is_postgres() || !to.is_postgres()) {
    return Fail(ErrorCode::kInvalidArgument,
                "a state moves from a SQLite file to PostgreSQL: state: names the file, --to "
                "postgres://user@host/database");
  }
  if (!std::filesystem::exists(settings.state.file())) {
    return Fail(ErrorCode::kNotFound,
                settings.state.Shown() + ": there is no state to move; set state: to the new one");
  }
  SystemClock clock;
  std::stop_source stop;
  const auto listening = invocation.interrupt.Listen([&stop] { stop.request_stop(); });
  const store::Transferred moved =
      TRY(store::TransferState(settings.state.file(), to.postgres(), clock, stop.get_token()));
  if (invocation.json) {
    PrintJson({{"jobs", moved.jobs}, {"chunks", moved.chunks}, {"to", to.Shown()}});
  } else if (!invocation.quiet) {
    PrintLine(fmt::format("{} jobs with {} chunks are in {}, and compared.", moved.jobs,
                          moved.chunks, to.Shown()));
    PrintLine(settings.state.Shown() +
              " is as it was: set state: to the database before the next command.");
  }
  return ExitCode::kSuccess;
}

}  // namespace

void AddMigrateState(CLI::App& program, const Invocation& invocation, Action& action) {
  auto to = std::make_shared<std::string>();
  CLI::App* command = program.add_subcommand(
      "migrate-state", "move the SQLite state to PostgreSQL, for workers on many machines");
  command->add_option("--to", *to, "postgres://user@host:5432/database")->required();
  command->footer(
      "Stop all workers first. The file is not changed.\n\n"
      "Example:\n  spillway migrate-state --to postgres://spillway@db/spillway");
  command->callback([to, &invocation, &action] {
    action = [to, &invocation] { return Migrate(invocation, StateAddress(*to)); };
  });
}

}  // namespace spillway::cli
