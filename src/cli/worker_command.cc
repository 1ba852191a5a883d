#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "deployment/deployment.h"
#include "deployment/schedules.h"

namespace spillway::cli {
namespace {

/// Whether no job waits or runs.
Result<bool> Idle(store::JobStore& store) {
  for (const engine::JobState state : {engine::JobState::kPending, engine::JobState::kProcessing}) {
    const store::JobPage page = TRY(store.List({.state = state}, "", 1));
    if (!page.jobs.empty()) return false;
  }
  return true;
}

/// A timetable of each export: one whose lake or database does not answer holds up no other.
Result<std::vector<engine::Services>> TimetablesOf(Deployment& deployment, const Settings& settings,
                                                   const recipe::Registry& registry, Log& log) {
  std::map<std::string, std::vector<engine::Schedule>> of_export;
  for (engine::Schedule& schedule : TRY(SchedulesOf(settings, registry)))
    of_export[schedule.export_name].push_back(std::move(schedule));
  std::vector<engine::Services> timetables;
  for (auto& [name, schedules] : of_export) {
    timetables.emplace_back(deployment.clock(), log)
        .Add(std::make_unique<engine::Timetable>(deployment.engine(), deployment.store(),
                                                 deployment.clock(), log, std::move(schedules)));
  }
  return timetables;
}

struct WorkFlags {
  bool until_idle = false;
  bool schedules = false;
};

Outcome Work(const Invocation& invocation, const WorkFlags& flags) {
  constexpr std::chrono::milliseconds kLook{50};
  const Settings settings = TRY(invocation.Load());
  Log log(invocation.quiet ? LogLevel::kError : settings.log.level.value_or(LogLevel::kInfo),
          settings.log.format, STDERR_FILENO);
  const auto deployment =
      TRY(Deployment::Open(settings, invocation.registry, log, Sharing::kShared));
  std::stop_source stop;
  const auto listening = invocation.interrupt.Listen([&stop] { stop.request_stop(); });
  std::vector<engine::Services> timetables;
  if (flags.schedules)
    timetables = TRY(TimetablesOf(*deployment, settings, invocation.registry, log));
  log.Info("worker started", {{"state", settings.state.Shown()},
                              {"schedules", flags.schedules ? settings.schedules.size() : 0}});
  {
    Deployment::Workers workers(*deployment);
    for (engine::Services& timetable : timetables) workers.Run(std::move(timetable));
    while (!stop.stop_requested()) {
      if (flags.until_idle && TRY(Idle(deployment->store()))) break;
      deployment->clock().SleepFor(kLook, stop.get_token());
    }
  }
  log.Info("worker stopped; what was under way was given back");
  return ExitCode::kSuccess;
}

}  // namespace

void AddWorker(CLI::App& program, const Invocation& invocation, Action& action) {
  auto flags = std::make_shared<WorkFlags>();
  CLI::App* command = program.add_subcommand(
      "worker", "work on submitted jobs until stopped; run as many as you like");
  CLI::Option* schedules =
      command->add_flag("--schedules", flags->schedules, "fire the configured schedules, too");
  command->add_flag("--until-idle", flags->until_idle, "stop when nothing is left to do")
      ->excludes(schedules);
  command->footer(
      "Ctrl-C or SIGTERM stops it; work under way is given back and taken up by other workers.\n"
      "However many fire schedules on one state, each tick is fired once.\n\n"
      "Examples:\n  spillway worker --schedules\n"
      "  spillway worker --until-idle      what is queued, and no more");
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return Work(invocation, *flags); };
  });
}

void AddServe(CLI::App& program, const Invocation& invocation, Action& action) {
  auto no_http = std::make_shared<bool>(false);
  CLI::App* command =
      program.add_subcommand("serve", "everything in one process: workers and schedules");
  command->add_flag("--no-http", *no_http, "without an HTTP interface");
  command->footer("Example:\n  spillway serve --no-http");
  command->callback([no_http, &invocation, &action] {
    action = [no_http, &invocation]() -> Outcome {
      if (*no_http) return Work(invocation, {.schedules = true});
      return Fail(ErrorCode::kInvalidArgument,
                  "serve has no HTTP interface yet; use serve --no-http for workers and schedules");
    };
  });
}

}  // namespace spillway::cli
