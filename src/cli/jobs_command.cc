#include <algorithm>
#include <utility>

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
#include "maintenance/expirer.h"

namespace spillway::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kDeadListed = 20;
constexpr size_t kFailuresListed = 20;

struct ListFlags {
  std::string state;
  std::string tenant;
  std::string export_name;
  std::string cursor;
  size_t limit = 20;
};

/// Where there is no state yet there are no jobs, which is no failure.
Result<std::unique_ptr<Deployment>> OpenForAllJobs(const Invocation& invocation, Log& log) {
  auto deployment = TRY(Deployment::OpenExisting(TRY(invocation.Load()), invocation.registry, log));
  if (const auto state = deployment->CheckState(); !state.has_value() && !invocation.quiet)
    PrintLine(state.error().message, stderr);
  return deployment;
}

Result<std::unique_ptr<Deployment>> OpenForOneJob(const Invocation& invocation, Log& log) {
  auto deployment = TRY(Deployment::OpenExisting(TRY(invocation.Load()), invocation.registry, log));
  TRY(deployment->CheckState());
  return deployment;
}

Log ErrorLog() { return Log(LogLevel::kError, LogFormat::kText, STDERR_FILENO); }

/// "50 / 150, 100 excluded": what is written of what was planned, and what became of the others.
std::string ProgressOf(const engine::Job& job) {
  if (job.phase < engine::JobPhase::kProcessing)
    return IsFinal(job.state) ? "not planned" : std::string(Name(job.phase));
  const engine::Counts& counts = job.counts;
  std::string progress = fmt::format("{} / {}", Grouped(counts.written), Grouped(counts.planned));
  if (counts.excluded > 0) progress += fmt::format(", {} excluded", Grouped(counts.excluded));
  if (counts.failed > 0) progress += fmt::format(", {} failed", Grouped(counts.failed));
  return progress;
}

/// How far the job is, or how far it came.
std::string StandingOf(const engine::Job& job) {
  if (!IsFinal(job.state) || job.state == engine::JobState::kSucceeded)
    return fmt::format("state {}, phase {}", Name(job.state), Name(job.phase));
  if (!job.started_at.has_value()) return fmt::format("state {}, before it began", Name(job.state));
  return fmt::format("state {}, in phase {}", Name(job.state), Name(job.phase));
}

std::string NextPage(const ListFlags& flags, const std::string& cursor) {
  std::string command = "spillway jobs list";
  const auto add = [&command](std::string_view flag, const std::string& value) {
    if (!value.empty()) command += fmt::format(" {} {}", flag, QuotedForShell(value));
  };
  add("--state", flags.state);
  add("--tenant", flags.tenant);
  add("--export", flags.export_name);
  if (flags.limit != ListFlags().limit) add("--limit", std::to_string(flags.limit));
  add("--cursor", cursor);
  return command;
}

Outcome List(const Invocation& invocation, const ListFlags& flags) {
  Log log = ErrorLog();
  const auto deployment = TRY(OpenForAllJobs(invocation, log));
  store::JobFilter filter;
  if (!flags.state.empty()) filter.state = TRY(engine::JobStateFromName(flags.state));
  if (!flags.tenant.empty()) filter.tenant = flags.tenant;
  if (!flags.export_name.empty()) filter.export_name = flags.export_name;
  const store::JobPage page = TRY(deployment->store().List(filter, flags.cursor, flags.limit));
  if (invocation.json) {
    Json jobs = Json::array();
    for (const engine::Job& job : page.jobs) jobs.push_back(JobToJson(job));
    PrintJson({{"jobs", std::move(jobs)}, {"next_cursor", page.next_cursor}});
    return ExitCode::kSuccess;
  }
  if (page.jobs.empty()) PrintLine("no jobs");
  for (const engine::Job& job : page.jobs) {
    PrintLine(fmt::format("{}  {:<10}  {:<12}  {:<20}  {:>25}  {}", job.id, Name(job.state),
                          job.export_name, job.tenant, ProgressOf(job),
                          FormatTimestamp(job.created_at).substr(0, 19)));
    if (job.failure.has_value()) {
      PrintLine(fmt::format("  requested by {}; failure: {}", job.requested_by,
                            InCommands(job.failure->message)));
    }
  }
  if (!page.next_cursor.empty()) PrintLine("more: " + NextPage(flags, page.next_cursor));
  return ExitCode::kSuccess;
}

Json TransitionToJson(const engine::Transition& step) {
  return {{"at", FormatTimestamp(step.at)},
          {"from", step.from.has_value() ? Json(Name(*step.from)) : Json()},
          {"to", Name(step.to)},
          {"actor", step.actor},
          {"cause", step.cause}};
}

Outcome Show(const Invocation& invocation, Deployment& deployment, const engine::Job& job) {
  store::JobStore& store = deployment.store();
  const engine::Progress progress = TRY(engine::ProgressOf(store, job, SystemClock().Now()));
  const std::vector<engine::Transition> history = TRY(store.History(job.id));
  const std::vector<engine::Chunk> dead =
      TRY(store.ListChunks(job.id, engine::ChunkState::kDead, -1, kDeadListed));
  const std::vector<engine::ErrorRecord> failures = TRY(FirstFailures(store, job, kFailuresListed));
  const int64_t dead_not_listed =
      std::max<int64_t>(job.chunks_dead - static_cast<int64_t>(dead.size()), 0);
  if (invocation.json) {
    Json json = JobToJson(job);
    json["progress"] = ProgressToJson(progress);
    for (const engine::Transition& step : history)
      json["history"].push_back(TransitionToJson(step));
    json["dead_chunks_not_listed"] = dead_not_listed;
    if (job.counts.failed > 0) json["failures"] = FailuresToJson(failures);
    json["dead_chunks"] = Json::array();
    for (const engine::Chunk& chunk : dead) {
      json["dead_chunks"].push_back(
          {{"chunk", chunk.index},
           {"attempts", chunk.attempts},
           {"code", chunk.failure ? Name(chunk.failure->code) : ""},
           {"message", chunk.failure ? InCommands(chunk.failure->message) : ""}});
    }
    PrintJson(json);
    return ExitCode::kSuccess;
  }
  PrintSummary(job);
  PrintLine(fmt::format("{}, {} dead chunks", StandingOf(job), job.chunks_dead));
  PrintLine("requested by " + job.requested_by);
  PrintLine(ProgressLine(progress));
  const auto retry =
      TRY(FindRetry(store, job, deployment.ContextForWorkers().options, SystemClock().Now()));
  if (retry.has_value()) PrintLine(retry->line);
  if (job.expiry.has_value()) PrintLine(ExpiryLine(*job.expiry));
  if (job.failure.has_value()) PrintLine("failure: " + InCommands(job.failure->message));
  for (const engine::Transition& step : history) {
    PrintLine(fmt::format("{}  {:<10}  {}  {}", FormatTimestamp(step.at), Name(step.to), step.actor,
                          step.cause));
  }
  if (!failures.empty()) {
    PrintLine(fmt::format("{} of {} {} failed{}", job.counts.failed, job.counts.planned,
                          CountedBy(job.plan),
                          std::cmp_less(failures.size(), job.counts.failed)
                              ? fmt::format("; the first {}:", failures.size())
                              : ":"));
    PrintFailures(failures, stdout);
  }
  for (const engine::Chunk& chunk : dead) {
    PrintLine(fmt::format("dead chunk {} after {} attempts: {}", chunk.index, chunk.attempts,
                          chunk.failure ? InCommands(chunk.failure->message) : ""));
  }
  if (dead_not_listed > 0) PrintLine(fmt::format("and {} more", dead_not_listed));
  return ExitCode::kSuccess;
}

Outcome Print(const Invocation& invocation, const engine::Job& job, std::string_view line) {
  invocation.json ? PrintJson(JobToJson(job)) : PrintLine(line);
  return ExitCode::kSuccess;
}

Outcome PrintCancelled(const Invocation& invocation, const engine::Job& job) {
  invocation.json ? PrintJson(JobToJson(job)) : PrintSummary(job);
  return ExitCode::kSuccess;
}

Outcome Cancel(const Invocation& invocation, Deployment& deployment, const engine::Job& asked) {
  engine::Job job =
      TRY(deployment.engine().Cancel(asked.id, CurrentUser(), "spillway jobs cancel"));
  if (job.state == engine::JobState::kCancelled) return PrintCancelled(invocation, job);
  if (job.state == engine::JobState::kPending) {
    return Print(invocation, job,
                 fmt::format("job {} will be discarded when its turn comes", job.id));
  }
  job = TRY(deployment.AwaitCancelled(job.id));
  TRY(PrintCancelled(invocation, job));
  if (!job.failure.has_value()) return ExitCode::kSuccess;
  PrintError(*job.failure, invocation.json);
  return ExitCodeFor(job.failure->code);
}

Outcome Redrive(const Invocation& invocation, Deployment& deployment, const engine::Job& failed) {
  if (failed.state == engine::JobState::kFailed && GoesToStandardOutput(failed)) {
    return Fail(ErrorCode::kConflict,
                fmt::format("job {} went to the standard output of a process that has ended; run "
                            "the export again",
                            failed.id));
  }
  const engine::Job job = TRY(deployment.engine().Redrive(failed.id, CurrentUser()));
  return Print(
      invocation, job,
      fmt::format(
          "job {} is waiting again; only what failed is rerun (spillway worker --until-idle)",
          job.id));
}

/// What `jobs expire` did, or would do.
struct ExpiryReport {
  Json jobs = Json::array();
  Json failed = Json::array();
  int64_t objects = 0;
  int64_t bytes = 0;
};

void Add(const engine::Expirable& due, bool json, ExpiryReport& report) {
  report.objects += due.remains.objects;
  report.bytes += due.remains.bytes;
  report.jobs.push_back(
      {{"id", due.job.id}, {"files", due.remains.objects}, {"bytes", due.remains.bytes}});
  if (json) return;
  PrintLine(fmt::format("{}  {:<10}  {:<12}  {:<20}  ended {}, {} file{}, {}", due.job.id,
                        Name(due.job.state), due.job.export_name, due.job.tenant,
                        FormatTimestamp(*due.job.finished_at).substr(0, 19), due.remains.objects,
                        due.remains.objects == 1 ? "" : "s",
                        ShortBytes(static_cast<uint64_t>(due.remains.bytes))));
}

std::string WhyKept(const engine::Expirable& due, const Error& error) {
  return error.message + (due.is_missing ? ": `spillway jobs expire --missing`" : "");
}

/// Expires all jobs of the walk; one that cannot expire is reported, and the next follows.
Result<> ExpireAll(engine::Context& context, engine::ExpiryWalk& walk, bool dry_run, bool json,
                   ExpiryReport& report) {
  constexpr size_t kPage = 1000;
  do {
    for (const engine::Expirable& due : TRY(walk.Next(context, kPage))) {
      const Result<bool> expired = dry_run && !due.error ? true : engine::Expire(context, due);
      if (!expired.has_value()) {
        const std::string why = WhyKept(due, expired.error());
        report.failed.push_back({{"id", due.job.id}, {"error", why}});
        if (!json) PrintLine(fmt::format("{}  cannot expire: {}", due.job.id, why), stderr);
      } else if (*expired) {
        Add(due, json, report);
      }
    }
  } while (!walk.ended());
  return {};
}

struct ExpireFlags {
  bool dry_run = false;
  bool missing = false;
};

Outcome ExpireJobs(const Invocation& invocation, const ExpireFlags& flags) {
  Log log = ErrorLog();
  const auto deployment = TRY(OpenForAllJobs(invocation, log));
  engine::Context context = deployment->ContextForWorkers();
  ExpiryReport report;
  engine::FirstError failed;
  const auto missing = flags.missing ? engine::Missing::kExpires : engine::Missing::kKept;
  for (engine::ExpiryWalk& walk : engine::ExpiryWalks(context.options, missing))
    failed.Add(ExpireAll(context, walk, flags.dry_run, invocation.json, report));
  const ExitCode code = report.failed.empty() ? ExitCode::kSuccess : ExitCode::kFailed;
  const size_t jobs = report.jobs.size();
  const size_t not_expired = report.failed.size();
  if (invocation.json) {
    PrintJson({{"dry_run", flags.dry_run},
               {"jobs", std::move(report.jobs)},
               {"failed", std::move(report.failed)}});
  } else {
    PrintLine(fmt::format("{}: jobs {}, files {}, {}{}", flags.dry_run ? "would expire" : "expired",
                          jobs, report.objects, ShortBytes(static_cast<uint64_t>(report.bytes)),
                          not_expired == 0 ? "" : fmt::format("; failed: {}", not_expired)));
  }
  TRY(failed.result());
  return code;
}

/// What a command does with one job.
using ActOnJob = Outcome (*)(const Invocation&, Deployment&, const engine::Job&);

Outcome OnJob(const Invocation& invocation, ActOnJob act, const std::string& id) {
  Log log = ErrorLog();
  const auto deployment = TRY(OpenForOneJob(invocation, log));
  return act(invocation, *deployment, TRY(FindJob(deployment->store(), id)));
}

void AddOne(CLI::App& jobs, const Invocation& invocation, Action& action, const std::string& name,
            const std::string& help, ActOnJob act) {
  auto id = std::make_shared<std::string>();
  CLI::App* command = jobs.add_subcommand(name, help);
  command->add_option("job", *id, "the job's id")->required();
  command->footer("Example:\n  spillway jobs " + name + " 6f1c0d2e9a8b7c65-1");
  command->callback([id, act, &invocation, &action] {
    action = [id, act, &invocation] { return OnJob(invocation, act, *id); };
  });
}

}  // namespace

void AddJobs(CLI::App& program, const Invocation& invocation, Action& action) {
  CLI::App* jobs = program.add_subcommand("jobs", "list, show, cancel, redrive and expire jobs");
  jobs->require_subcommand(1);
  jobs->footer(R"(Examples:
  spillway jobs list --state failed --limit 20
  spillway jobs show 6f1c0d2e9a8b7c65-1      its history, and what failed
  spillway jobs cancel 6f1c0d2e9a8b7c65-1
  spillway jobs redrive 6f1c0d2e9a8b7c65-1   only what failed is run again
  spillway jobs expire --dry-run)");
  auto flags = std::make_shared<ListFlags>();
  CLI::App* list = jobs->add_subcommand("list", "jobs, newest first");
  list->add_option("--state", flags->state, "pending, processing, succeeded, failed or cancelled");
  list->add_option("--tenant", flags->tenant, "of one organisation");
  list->add_option("--export", flags->export_name, "of one export");
  list->add_option("--limit", flags->limit, "at most this many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  list->add_option("--cursor", flags->cursor, "where the page before ended");
  list->footer(
      "Examples:\n  spillway jobs list --state failed --limit 20\n"
      "  spillway jobs list --export messages --tenant acme");
  list->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return List(invocation, *flags); };
  });
  AddOne(*jobs, invocation, action, "show", "a job, its history and what failed", Show);
  AddOne(*jobs, invocation, action, "cancel", "stop a job and remove what it staged", Cancel);
  auto expire_flags = std::make_shared<ExpireFlags>();
  CLI::App* expire =
      jobs->add_subcommand("expire", "remove the files of jobs whose retention is over");
  expire->add_flag("--dry-run", expire_flags->dry_run, "only say which, and what they would lose");
  expire->add_flag("--missing", expire_flags->missing,
                   "also those whose manifest is not where it was published");
  expire->footer(
      "Workers do the same by themselves, every few minutes. The jobs' records stay.\n\n"
      "Example:\n  spillway jobs expire --dry-run");
  expire->callback([expire_flags, &invocation, &action] {
    action = [expire_flags, &invocation] { return ExpireJobs(invocation, *expire_flags); };
  });
  AddOne(*jobs, invocation, action, "redrive", "rerun what failed of a job, and only that",
         Redrive);
}

}  // namespace spillway::cli
