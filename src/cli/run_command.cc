#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/figures.h"
#include "cli/command.h"
#include "cli/export_flags.h"
#include "cli/item_failures.h"
#include "cli/job_view.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"
#include "cli/retry_note.h"
#include "deployment/deployment.h"
#include "settings/exports.h"

namespace spillway::cli {
namespace {

constexpr std::chrono::milliseconds kLookMin{1};
constexpr std::chrono::milliseconds kLookMax{50};
constexpr std::chrono::milliseconds kShowEvery{200};
constexpr std::chrono::milliseconds kLookForRetriesEvery{400};
constexpr size_t kFailuresListed = 5;

/// Looks often at first: the end of a job is seen after at most a hundredth more of the time that
/// it took.
std::chrono::milliseconds PauseAfter(std::chrono::steady_clock::duration passed) {
  const auto due = std::chrono::duration_cast<std::chrono::milliseconds>(passed / 100);
  return std::clamp(due, kLookMin, kLookMax);
}

struct RunFlags {
  ExportFlags request;
  bool fresh = false;
  bool detach = false;
};

std::string Note(const engine::Job& job, const engine::Progress& progress, bool interrupted) {
  if (interrupted) return "cancelling; Ctrl-C again leaves at once";
  if (job.state != engine::JobState::kPending) return std::string(Name(job.phase));
  return ProgressLine(progress);
}

/// The job that is waited for.
struct Watched {
  std::string id;
  bool ours = false;  ///< This program asked for it: an interruption cancels it.
  std::atomic<bool> not_cancelled = false;  ///< The state did not take the cancellation.
};

/// Says on standard error what is tried again, each time that an attempt at it has failed.
class Retries {
 public:
  explicit Retries(Deployment& deployment) : deployment_(deployment) {}

  Result<> Tell(const engine::Job& job, ProgressBar& bar) {
    const Timestamp now = SystemClock().Now();
    if (now < look_at_) return {};
    look_at_ = now + kLookForRetriesEvery;
    const auto note =
        TRY(FindRetry(deployment_.store(), job, deployment_.ContextForWorkers().options, now));
    if (!note.has_value()) return {};
    bar.Clear();
    PrintLine(note->line, stderr);
    look_at_ = std::max(look_at_, note->next);
    return {};
  }

 private:
  Deployment& deployment_;
  Timestamp look_at_ = Timestamp::min();
};

/// Waits for the end of a job while workers of this process and others do the work; an
/// interruption ends the waiting for a job that others asked for.
Result<engine::Job> Watch(Deployment& deployment, const Watched& watched,
                          const std::atomic<bool>& interrupted, bool quiet, bool json) {
  Retries retries(deployment);
  ProgressBar bar(watched.id.substr(0, 8), "rows");
  const auto began = std::chrono::steady_clock::now();
  auto show_at = began;
  while (true) {
    engine::Job job = TRY(deployment.store().Get(watched.id));
    if (IsFinal(job.state) || (interrupted && (!watched.ours || watched.not_cancelled))) return job;
    if (job.cancel_requested_at.has_value()) deployment.StopStreaming();
    if (const auto now = std::chrono::steady_clock::now(); !quiet && now >= show_at) {
      show_at = now + kShowEvery;
      const engine::Progress progress =
          TRY(engine::ProgressOf(deployment.store(), job, SystemClock().Now()));
      bar.Show(progress.rows_done, progress.rows_total, Note(job, progress, interrupted));
      if (!json) TRY(retries.Tell(job, bar));
    }
    std::this_thread::sleep_for(PauseAfter(std::chrono::steady_clock::now() - began));
  }
}

/// Workers of this process may have planned exports of others, which are read in snapshots that end
/// with it.
void AwaitSnapshots(const Deployment& deployment, const std::atomic<bool>& interrupted,
                    bool quiet) {
  if (!deployment.recipes().AreNeeded()) return;
  if (!quiet)
    PrintLine("the job is over; waits for other exports, which only this process can read", stderr);
  while (!interrupted && deployment.recipes().AreNeeded()) std::this_thread::sleep_for(kLookMax);
}

ExitCode ExitCodeOf(const engine::Job& job, const recipe::Remainder& rest) {
  if (job.state == engine::JobState::kSucceeded) {
    if (job.counts.failed == 0) {
      return rest.failed + rest.waiting == 0 ? ExitCode::kSuccess : ExitCode::kRejected;
    }
    return job.counts.failed == job.counts.planned ? ExitCode::kFailed : ExitCode::kRejected;
  }
  if (job.state == engine::JobState::kCancelled) return ExitCode::kCancelled;
  return job.failure.has_value() ? ExitCodeFor(job.failure->code) : ExitCode::kFailed;
}

std::string WhyFailed(const engine::Job& job) {
  if (!job.failure.has_value()) return fmt::format("job {} failed: no cause recorded", job.id);
  std::string why = fmt::format("job {} failed: {}", job.id, job.failure->message);
  if (job.failure->code == ErrorCode::kUnavailable && !GoesToStandardOutput(job)) {
    why += fmt::format("; `spillway jobs redrive {}` does what is left, once that works again",
                       job.id);
  }
  return why;
}

nlohmann::ordered_json Json(const store::Created& created) {
  nlohmann::ordered_json json = JobToJson(created.job);
  json["created"] = created.created;
  return json;
}

/// "location-days" as a member of JSON: "location_days".
std::string MemberName(std::string counted) {
  std::ranges::replace(counted, '-', '_');
  return counted;
}

Error Undone(std::string line) {
  return {.code = ErrorCode::kConflict, .message = std::move(line)};
}

Outcome Report(const Invocation& invocation, const RunFlags& flags, const store::Created& done,
               const std::vector<engine::ErrorRecord>& failures, const recipe::Remainder& rest) {
  const engine::Job& job = done.job;
  // Where standard output has the export itself, what is said of it goes to standard error.
  std::FILE* to = flags.request.to_standard_output() ? stderr : stdout;
  if (invocation.json) {
    nlohmann::ordered_json json = Json(done);
    if (!failures.empty()) json["failures"] = FailuresToJson(failures);
    const std::string counted = MemberName(CountedBy(job.plan));
    if (rest.failed > 0) json[counted + "_failed"] = rest.failed;
    if (rest.waiting > 0) json[counted + "_waiting"] = rest.waiting;
    PrintJson(json, to);
  } else if (job.state == engine::JobState::kFailed) {
    PrintError({.code = ErrorCode::kInternal, .message = WhyFailed(job)}, false);
  } else {
    if (!invocation.quiet) PrintSummary(job, to);
    if (job.state == engine::JobState::kSucceeded && job.counts.failed > 0) {
      PrintError({.code = ErrorCode::kCorrupt,
                  .message = fmt::format(
                      "{} of {} {} failed; `spillway jobs show {}` says why, and "
                      "the manifest or a report beside it lists them all",
                      job.counts.failed, job.counts.planned, CountedBy(job.plan), job.id)},
                 false);
      PrintFailures(failures, stderr);
    }
    if (rest.failed > job.counts.failed) PrintError(Undone(rest.failed_line), false);
    PrintError(Undone(rest.waiting_line), false);
  }
  return ExitCodeOf(job, rest);
}

Outcome Run(const Invocation& invocation, const RunFlags& flags) {
  const Settings settings = TRY(invocation.Load());
  Log log(invocation.quiet ? LogLevel::kError : settings.log.level.value_or(LogLevel::kError),
          settings.log.format, STDERR_FILENO);
  const bool streams = flags.request.to_standard_output();
  if (streams && flags.detach) {
    return Fail(ErrorCode::kInvalidArgument,
                "--detach leaves the work to workers; they cannot write to this standard output");
  }
  const ConfiguredExport exported =
      TRY(FindExport(settings, invocation.registry, flags.request.export_name()));
  const recipe::Definition& definition = *exported.definition;
  recipe::Request request =
      TRY(flags.request.ToRequest(exported, "-"));  // Before anything is made.
  const auto deployment = TRY(Deployment::Open(settings, invocation.registry, log,
                                               streams ? Sharing::kPrivate : Sharing::kShared));
  if (streams) request = TRY(flags.request.ToRequest(exported, deployment->StandardOutput()));
  store::Created created =
      TRY(deployment->engine().Submit(definition.name(), request, flags.fresh));
  if (flags.detach) {
    invocation.json ? PrintJson(Json(created)) : PrintLine(created.job.id);
    return ExitCode::kSuccess;
  }
  Watched watched{.id = created.job.id, .ours = created.created};
  std::atomic<bool> interrupted = false;
  const auto listening = invocation.interrupt.Listen([&] {
    interrupted = true;
    if (!watched.ours) return;
    const auto cancelled = deployment->engine().Cancel(watched.id, CurrentUser(), "interrupted");
    deployment->StopStreaming();
    // Where its outcome is decided already, the job ends by itself.
    if (!cancelled.has_value() && cancelled.error().code != ErrorCode::kConflict)
      watched.not_cancelled = true;
  });
  if (!watched.ours && !invocation.quiet && !invocation.json) {
    PrintLine(fmt::format("job {} is under way already; --fresh runs it again", watched.id));
  }
  created.job = TRY([&]() -> Result<engine::Job> {
    Deployment::Workers workers(*deployment);
    engine::Job job =
        TRY(Watch(*deployment, watched, interrupted, invocation.quiet, invocation.json));
    workers.StopPlanning();
    AwaitSnapshots(*deployment, interrupted, invocation.quiet || invocation.json);
    return job;
  }());
  if (!IsFinal(created.job.state)) {
    return Fail(ErrorCode::kCancelled,
                fmt::format("job {0} goes on; `spillway jobs cancel {0}` stops it", watched.id));
  }
  const std::vector<engine::ErrorRecord> failures =
      TRY(FirstFailures(deployment->store(), created.job, kFailuresListed));
  recipe::Remainder rest;
  if (created.job.state == engine::JobState::kSucceeded) {
    const Result<recipe::Remainder> looked = definition.LookForRest(exported.exported.settings);
    if (!looked.has_value()) PrintError(looked.error(), invocation.json);  // The job is done.
    rest = looked.value_or(rest);
  }
  return Report(invocation, flags, created, failures, rest);
}

}  // namespace

void AddRun(CLI::App& program, const Invocation& invocation, Action& action) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = program.add_subcommand("run", "export, and wait until it is done");
  flags->request.AddTo(*command, invocation.registry);
  command->add_flag("--fresh", flags->fresh, "run again, even if the same export is under way");
  command->add_flag("--detach", flags->detach, "leave the work to workers, print the job's id");
  command->footer(ExamplesOf(invocation.registry, "run"));
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return Run(invocation, *flags); };
  });
}

}  // namespace spillway::cli
