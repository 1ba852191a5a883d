#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/deployment.h"
#include "cli/export_flags.h"
#include "cli/job_view.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"

namespace spillway::cli {
namespace {

constexpr std::chrono::milliseconds kLookMin{1};
constexpr std::chrono::milliseconds kLookMax{50};

/// Looks often at first: a sixteenth of the time that passed is what a job may end unseen.
std::chrono::milliseconds PauseAfter(std::chrono::steady_clock::duration passed) {
  const auto due = std::chrono::duration_cast<std::chrono::milliseconds>(passed / 16);
  return std::clamp(due, kLookMin, kLookMax);
}

struct RunFlags {
  ExportFlags request;
  bool fresh = false;
  bool detach = false;
};

std::string Note(const engine::Job& job, bool interrupted) {
  if (interrupted) return "cancelling; Ctrl-C again leaves at once";
  if (job.state == engine::JobState::kPending) return "waiting for its turn";
  return std::string(Name(job.phase));
}

/// Watches a job to its end, while workers of this process and others do the work.
Result<engine::Job> Watch(Deployment& deployment, const std::string& job_id,
                          const std::atomic<bool>& interrupted, bool quiet) {
  ProgressBar bar(job_id.substr(0, 8), "rows");
  const auto began = std::chrono::steady_clock::now();
  while (true) {
    engine::Job job = TRY(deployment.store().Get(job_id));
    if (IsFinal(job.state)) return job;
    if (!quiet) {
      bar.Show(job.counts.written + job.counts.excluded, job.counts.planned,
               Note(job, interrupted));
    }
    std::this_thread::sleep_for(PauseAfter(std::chrono::steady_clock::now() - began));
  }
}

ExitCode ExitCodeOf(const engine::Job& job) {
  if (job.state == engine::JobState::kSucceeded) return ExitCode::kSuccess;
  if (job.state == engine::JobState::kCancelled) return ExitCode::kCancelled;
  return job.failure.has_value() ? ExitCodeFor(job.failure->code) : ExitCode::kFailed;
}

Outcome Report(const Invocation& invocation, const RunFlags& flags, const engine::Job& job) {
  if (job.state == engine::JobState::kFailed && !invocation.json) {
    PrintError({.code = ErrorCode::kInternal,
                .message = fmt::format(
                    "job {} failed: {}", job.id,
                    job.failure.has_value() ? job.failure->message : "no cause recorded")},
               false);
    return ExitCodeOf(job);
  }
  if (invocation.quiet) return ExitCodeOf(job);
  // Standard output may be the export itself: what is said of it goes beside.
  if (flags.request.to_standard_output()) {
    fmt::print(stderr, "{}\n", Summary(job));
  } else if (invocation.json) {
    PrintJson(JobToJson(job));
  } else {
    PrintLine(Summary(job));
  }
  return ExitCodeOf(job);
}

Outcome Run(const Invocation& invocation, const RunFlags& flags) {
  const Settings settings = TRY(invocation.Load());
  Log log(LogLevel::kError, settings.log.format, STDERR_FILENO);
  const bool streams = flags.request.to_standard_output();
  if (streams && flags.detach) {
    return Fail(ErrorCode::kInvalidArgument,
                "--detach leaves the work to workers; they cannot write to this standard output");
  }
  const auto deployment =
      TRY(Deployment::Open(settings, log, streams ? Sharing::kPrivate : Sharing::kShared));
  const recipe::Request request =
      TRY(flags.request.ToRequest(settings, deployment->StandardOutput()));
  const store::Created created =
      TRY(deployment->engine().Submit(recipe::MessageExport::kName, request, flags.fresh));
  if (flags.detach) {
    invocation.json ? PrintJson(JobToJson(created.job)) : PrintLine(created.job.id);
    return ExitCode::kSuccess;
  }
  std::atomic<bool> interrupted = false;
  invocation.interrupt.Listen([&deployment, &interrupted, id = created.job.id] {
    interrupted = true;
    static_cast<void>(deployment->engine().Cancel(id, CurrentUser(), "interrupted"));
    deployment->StopStreaming();
  });
  const engine::Job job = TRY([&]() -> Result<engine::Job> {
    if (IsFinal(created.job.state)) return created.job;
    const Deployment::Workers workers(*deployment);
    return Watch(*deployment, created.job.id, interrupted, invocation.quiet);
  }());
  if (!created.created && job.state == engine::JobState::kSucceeded && !invocation.json &&
      !invocation.quiet) {
    PrintLine("exported before; --fresh runs it anew");
  }
  return Report(invocation, flags, job);
}

}  // namespace

void AddRun(CLI::App& program, const Invocation& invocation, Action& action) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = program.add_subcommand("run", "export, and wait until it is done");
  flags->request.AddTo(*command);
  command->add_flag("--fresh", flags->fresh, "run anew, even if the same export is there");
  command->add_flag("--detach", flags->detach, "leave the work to workers, print the job's id");
  command->footer(R"(Examples:
  spillway run messages -o acme --from 2025-01-01 --through 2025-01-31 -z Europe/Vienna
  spillway run messages -o acme --from 2025-01-01 --to 2025-02-01 --compression zip
  spillway run messages -o acme --from 2025-01-01 --to 2025-02-01 --output - | head)");
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return Run(invocation, *flags); };
  });
}

}  // namespace spillway::cli
