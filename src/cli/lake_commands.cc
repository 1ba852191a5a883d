#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stop_token>

#include <CLI/CLI.hpp>
#include <date/date.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/figures.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"
#include "config/scalar.h"
#include "deployment/deployment.h"
#include "lake/compaction/adopt.h"
#include "lake/compaction/compact.h"
#include "lake/log/remove.h"
#include "maintenance/lake_readers.h"

namespace spillway::cli {
namespace {

struct CompactFlags {
  std::string organisation;
  std::string vacuum;
  bool no_other_writers = false;
};

/// Younger files may belong to an ingest or a compaction that is still running.
constexpr std::chrono::hours kVacuumAgeMin(1);

/// An existing lake, and work on it that Ctrl-C stops.
class LakeWork {
 public:
  LakeWork(const Settings& settings, Interrupt& interrupt)
      : settings_(settings),
        stores_(settings.s3, clock_),
        listening_(interrupt.Listen([this] { stop_.request_stop(); })) {}

  static Result<std::unique_ptr<LakeWork>> Open(const Invocation& invocation) {
    const Settings settings = TRY(invocation.Load());
    auto work = std::make_unique<LakeWork>(settings, invocation.interrupt);
    work->lake_ =
        TRY(LakePlace::Open(settings.lake, work->stores_, work->clock_, Stores::Missing::kFails));
    return work;
  }

  const Settings& settings() const { return settings_; }
  LakePlace& lake() { return *lake_; }
  Clock& clock() { return clock_; }
  std::stop_token stop() const { return stop_.get_token(); }

 private:
  const Settings settings_;
  SystemClock clock_;
  Stores stores_;
  std::unique_ptr<LakePlace> lake_;
  std::stop_source stop_;
  const Interrupt::Listening listening_;
};

nlohmann::ordered_json ToJson(const lake::PassedOver& passed_over) {
  return {{"files", passed_over.files}, {"first", passed_over.first}};
}

void Tell(const lake::PassedOver& passed_over, std::string_view why) {
  if (passed_over.files == 0) return;
  PrintLine(fmt::format("passed over {} files {}; the first: {}", Grouped(passed_over.files), why,
                        passed_over.first));
}

Outcome Adopt(const Invocation& invocation, lake::AdoptOptions options) {
  const auto work = TRY(LakeWork::Open(invocation));
  LakePlace& lake = work->lake();
  options.threads = ThreadsOf(work->settings());
  const lake::AdoptReport report =
      TRY(lake::Adopt(lake.store(), lake.log(), lake.schema(), options, work->stop()));
  if (invocation.json) {
    PrintJson({{"files", report.files},
               {"rows", report.rows},
               {"bytes", report.bytes},
               {"organisations", report.organisations},
               {"known_files", report.known_files},
               {"hidden", ToJson(report.hidden)},
               {"other", ToJson(report.other)},
               {"outside", ToJson(report.outside)},
               {"taken_out", ToJson(report.taken_out)},
               {"unnamed_files", report.unnamed_files},
               {"lake_version", report.version}});
  } else if (!invocation.quiet) {
    PrintLine(
        fmt::format("adopted {} rows in {} files of {} organisations, {}; {} files were known",
                    Grouped(report.rows), Grouped(report.files), Grouped(report.organisations),
                    ShortBytes(report.bytes), Grouped(report.known_files)));
    Tell(report.hidden, "that are hidden (a part of their path begins with . or _)");
    Tell(report.other, "that are not named *.parquet");
    Tell(report.outside,
         fmt::format("in no directory {}=… at the top (--organisation-partition names another)",
                     options.organisation_partition));
    Tell(report.taken_out, "that `spillway lake remove` took out: to adopt one, rename it");
  }
  if (report.unnamed_files.empty()) return ExitCode::kSuccess;
  if (!invocation.json) {
    for (const std::string& file : report.unnamed_files) PrintLine("not adopted: " + file);
    PrintLine(
        fmt::format("{} files are Spillway's own, but its log has never named them: restore "
                    "_log if it was lost; what a writer left that died, compact --vacuum "
                    "removes",
                    Grouped(static_cast<int64_t>(report.unnamed_files.size()))));
  }
  return ExitCode::kFailed;
}

std::string DayName(int32_t day) { return date::format("%F", date::sys_days(date::days(day))); }

/// The sums of what organisations have.
lake::Holding SumOf(const std::vector<lake::Holding>& holdings) {
  lake::Holding sum;
  for (const lake::Holding& holding : holdings) {
    sum.rows += holding.rows;
    sum.files += holding.files;
    sum.bytes += holding.bytes;
  }
  return sum;
}

Outcome Show(const Invocation& invocation, const std::optional<std::string>& organisation) {
  const auto work = TRY(LakeWork::Open(invocation));
  const lake::Inventory inventory = TRY(work->lake().log().TakeInventory(organisation));
  const lake::Holding sum = SumOf(inventory.holdings);
  if (invocation.json) {
    nlohmann::ordered_json organisations = nlohmann::ordered_json::array();
    for (const lake::Holding& holding : inventory.holdings) {
      organisations.push_back({{"organisation", holding.organisation},
                               {"first_day", DayName(holding.first_day)},
                               {"last_day", DayName(holding.last_day)},
                               {"rows", holding.rows},
                               {"files", holding.files},
                               {"bytes", holding.bytes}});
    }
    PrintJson({{"lake_version", inventory.version},
               {"rows", sum.rows},
               {"files", sum.files},
               {"bytes", sum.bytes},
               {"organisations", std::move(organisations)}});
    return ExitCode::kSuccess;
  }
  const auto amounts = [](const lake::Holding& holding) {
    return fmt::format("{:>15} messages {:>9} files {:>9}", Grouped(holding.rows),
                       Grouped(holding.files), ShortBytes(holding.bytes));
  };
  for (const lake::Holding& holding : inventory.holdings) {
    PrintLine(fmt::format("{} to {} {}  {}", DayName(holding.first_day), DayName(holding.last_day),
                          amounts(holding), holding.organisation));
  }
  PrintLine(fmt::format("{:<24} {}  of {} organisations",
                        fmt::format("lake version {}", inventory.version), amounts(sum),
                        Grouped(std::ssize(inventory.holdings))));
  return ExitCode::kSuccess;
}

Outcome Remove(const Invocation& invocation, const std::vector<std::string>& names) {
  const auto work = TRY(LakeWork::Open(invocation));
  const lake::RemoveReport report = TRY(lake::RemoveAdopted(work->lake().log(), names));
  if (invocation.json) {
    PrintJson({{"files", report.files},
               {"rows", report.rows},
               {"bytes", report.bytes},
               {"lake_version", report.version}});
  } else if (!invocation.quiet) {
    PrintLine(
        fmt::format("took {} files with {} rows, {}, out of the lake; they stay where they "
                    "are",
                    Grouped(report.files), Grouped(report.rows), ShortBytes(report.bytes)));
  }
  return ExitCode::kSuccess;
}

Result<std::optional<std::chrono::milliseconds>> VacuumAge(const CompactFlags& flags) {
  if (flags.vacuum.empty()) return std::nullopt;
  const std::optional<std::chrono::milliseconds> age = config::ParseDuration(flags.vacuum);
  if (!age.has_value()) {
    return Fail(ErrorCode::kInvalidArgument,
                "--vacuum: \"" + flags.vacuum + "\" is no age like 7d or 12h");
  }
  if (*age < kVacuumAgeMin && !flags.no_other_writers) {
    return Fail(ErrorCode::kInvalidArgument,
                "--vacuum " + flags.vacuum +
                    " would take the files of whoever is writing to the lake now; use 1h or more, "
                    "or add --no-other-writers when there is nobody");
  }
  return age;
}

/// Removes files of at least that age, but none that the jobs of this state may still read.
Result<lake::CommitLog::Vacuumed> Vacuum(LakeWork& work, Deployment& deployment,
                                         std::chrono::milliseconds age,
                                         engine::LakeReaders& readers) {
  readers = TRY(engine::FindLakeReaders(deployment.store(), deployment.recipes()));
  Timestamp older_than = work.clock().Now() - age;
  older_than = std::min(older_than, readers.planning_since.value_or(older_than));
  return work.lake().log().Vacuum(older_than, readers.oldest_version);
}

Outcome Compact(const Invocation& invocation, const CompactFlags& flags) {
  const std::optional<std::chrono::milliseconds> vacuum_age = TRY(VacuumAge(flags));
  const auto work = TRY(LakeWork::Open(invocation));
  LakePlace& lake = work->lake();
  Log log(LogLevel::kError, LogFormat::kText, STDERR_FILENO);
  std::unique_ptr<Deployment> deployment;
  if (vacuum_age) {
    deployment = TRY(Deployment::OpenExisting(work->settings(), invocation.registry, log));
    // Nobody else knows what running exports read.
    TRY(deployment->CheckState());
  }
  lake::CompactOptions options{.threads = ThreadsOf(work->settings())};
  if (!flags.organisation.empty()) options.organisation = flags.organisation;
  Random random = Random::FromEntropy();
  const lake::CompactReport report =
      TRY(lake::Compact(lake.store(), lake.log(), lake.schema(), options, random, work->stop()));
  lake::CommitLog::Vacuumed vacuumed;
  engine::LakeReaders readers;
  if (vacuum_age) {
    vacuumed = TRY(Vacuum(*work, *deployment, *vacuum_age, readers));
  }
  if (invocation.json) {
    PrintJson({{"partitions", report.partitions},
               {"files_before", report.files_before},
               {"files_after", report.files_after},
               {"rows", report.rows},
               {"bytes_before", report.bytes_before},
               {"bytes_after", report.bytes_after},
               {"conflicts", report.conflicts},
               {"vacuumed_objects", vacuumed.objects},
               {"vacuumed_bytes", vacuumed.bytes},
               {"jobs_that_may_read", readers.jobs}});
  } else if (!invocation.quiet) {
    PrintLine(fmt::format("{} partitions: {} files, {} became {} files, {}; {} rows, as before",
                          Grouped(report.partitions), Grouped(report.files_before),
                          ShortBytes(report.bytes_before), Grouped(report.files_after),
                          ShortBytes(report.bytes_after), Grouped(report.rows)));
    if (vacuum_age) {
      PrintLine(fmt::format("removed {} unused objects, {}", Grouped(vacuumed.objects),
                            ShortBytes(vacuumed.bytes)));
    }
    if (readers.jobs > 0) {
      PrintLine(
          fmt::format("kept what {} exports that are under way, or failed and can be "
                      "redriven, may still read",
                      Grouped(readers.jobs)));
    }
  }
  return ExitCode::kSuccess;
}

}  // namespace

void AddAdopt(CLI::App& program, const Invocation& invocation, Action& action) {
  auto options = std::make_shared<lake::AdoptOptions>();
  CLI::App* command = program.add_subcommand(
      "adopt", "take Parquet files that lie in the lake's directory into the lake");
  command
      ->add_option("--organisation-partition", options->organisation_partition,
                   "NAME in NAME=acme/day=…/x.parquet")
      ->capture_default_str();
  command
      ->add_option("--day-partition", options->day_partition,
                   "NAME in org=acme/NAME=2025-01-31/x.parquet")
      ->capture_default_str();
  command->footer(
      R"(Files stay as they are; they must have the lake's columns and be sorted by time. Each is read whole
before it is taken. What begins with . or _, such as Spark's _temporary, is passed over, and so is
what is not named *.parquet; the output says how many. `spillway lake remove` takes files out again.

Example, for lake/organisation=acme/day=2025-01-31/part-0.parquet:
  spillway adopt --organisation-partition organisation)");
  command->callback([options, &invocation, &action] {
    action = [options, &invocation] { return Adopt(invocation, *options); };
  });
}

void AddLake(CLI::App& program, const Invocation& invocation, Action& action) {
  CLI::App* group = program.add_subcommand("lake", "what the lake holds");
  group->require_subcommand(1);
  group->footer("Examples:\n  spillway lake show\n  spillway lake remove org=acme/_temporary/");
  auto organisation = std::make_shared<std::optional<std::string>>();
  CLI::App* show = group->add_subcommand(
      "show", "whose messages it has, of which days, how many, in how many files");
  show->add_option("-o,--organisation", *organisation, "of one organisation; default: all");
  show->footer(
      R"(It reads the lake's log alone, so it is quick for any number of messages. Days are in UTC, and sizes
those of the Parquet files. Files that no version names any more are not counted; see compact --vacuum.
Examples:
  spillway lake show
  spillway --json lake show --organisation acme)");
  show->callback([organisation, &invocation, &action] {
    action = [organisation, &invocation] { return Show(invocation, *organisation); };
  });
  auto names = std::make_shared<std::vector<std::string>>();
  CLI::App* remove =
      group->add_subcommand("remove", "take adopted files out of the lake again, all or none");
  remove
      ->add_option("files", *names,
                   "as the lake names them: org=acme/day=2025-01-31/x.parquet; with / at the end: "
                   "every adopted file below")
      ->required();
  remove->footer(
      R"(The files themselves stay; exports that are at work still read them. adopt passes them over from
then on. What Spillway wrote itself is not removed.
Example:
  spillway lake remove org=acme/_temporary/)");
  remove->callback([names, &invocation, &action] {
    action = [names, &invocation] { return Remove(invocation, *names); };
  });
}

void AddCompact(CLI::App& program, const Invocation& invocation, Action& action) {
  auto flags = std::make_shared<CompactFlags>();
  CLI::App* command =
      program.add_subcommand("compact", "merge the lake's small files; readers are not disturbed");
  command->add_option("-o,--organisation", flags->organisation,
                      "of one organisation; default: all");
  command->add_option("--vacuum", flags->vacuum,
                      "then remove objects that nothing has named for so long (7d); 1h at least");
  command->add_flag("--no-other-writers", flags->no_other_writers,
                    "nobody else writes to the lake now: --vacuum may be shorter than 1h");
  command->footer(
      R"(--vacuum keeps what exports that are under way, or failed and can be redriven, may still read, as
far as the configured state knows of them; where there is no state, nothing is done.

Example:
  spillway compact --vacuum 7d)");
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return Compact(invocation, *flags); };
  });
}

}  // namespace spillway::cli
