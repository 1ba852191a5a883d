#include <atomic>
#include <condition_variable>
#include <mutex>

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/deployment.h"

namespace spillway::cli {
namespace {

/// Whether nothing waits and nothing runs.
Result<bool> Idle(store::JobStore& store) {
  for (const engine::JobState state : {engine::JobState::kPending, engine::JobState::kProcessing}) {
    const store::JobPage page = TRY(store.List({.state = state}, "", 1));
    if (!page.jobs.empty()) return false;
  }
  return true;
}

Outcome Work(const Invocation& invocation, bool until_idle) {
  constexpr std::chrono::milliseconds kLook{50};
  const Settings settings = TRY(invocation.Load());
  Log log(invocation.quiet ? LogLevel::kError : settings.log.level, settings.log.format,
          STDERR_FILENO);
  const auto deployment = TRY(Deployment::Open(settings, log, Sharing::kShared));
  std::stop_source stop;
  const auto listening = invocation.interrupt.Listen([&stop] { stop.request_stop(); });
  log.Info("worker started", {{"state", settings.state.string()}});
  {
    const Deployment::Workers workers(*deployment);
    while (!stop.stop_requested()) {
      if (until_idle && TRY(Idle(deployment->store()))) break;
      deployment->clock().SleepFor(kLook, stop.get_token());
    }
  }
  log.Info("worker stopped; what was under way was given back");
  return ExitCode::kSuccess;
}

}  // namespace

void AddWorker(CLI::App& program, const Invocation& invocation, Action& action) {
  auto until_idle = std::make_shared<bool>(false);
  CLI::App* command = program.add_subcommand(
      "worker", "work on submitted jobs until stopped; run as many as you like");
  command->add_flag("--until-idle", *until_idle, "stop when nothing is left to do");
  command->footer(
      "Ctrl-C or SIGTERM stops it; work under way is given back and taken up by other workers.");
  command->callback([until_idle, &invocation, &action] {
    action = [until_idle, &invocation] { return Work(invocation, *until_idle); };
  });
}

}  // namespace spillway::cli
