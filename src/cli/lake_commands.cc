#include <chrono>
#include <optional>
#include <stop_token>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/deployment.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"
#include "config/scalar.h"
#include "source/lake/adopt.h"
#include "source/lake/compact.h"

namespace spillway::cli {
namespace {

struct CompactFlags {
  std::string organisation;
  std::string vacuum;
  bool no_other_writers = false;
};

/// Younger files may belong to an ingest or a compaction that is at work.
constexpr std::chrono::hours kVacuumAgeMin(1);

/// The lake that is there, and work on it that ends with Ctrl-C.
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

Outcome Adopt(const Invocation& invocation, const lake::AdoptOptions& options) {
  const auto work = TRY(LakeWork::Open(invocation));
  LakePlace& lake = work->lake();
  const lake::AdoptReport report =
      TRY(lake::Adopt(lake.store(), lake.log(), lake.schema(), options, work->stop()));
  if (invocation.json) {
    PrintJson({{"files", report.files},
               {"rows", report.rows},
               {"bytes", report.bytes},
               {"organisations", report.organisations},
               {"known_files", report.known_files},
               {"unnamed_files", report.unnamed_files},
               {"lake_version", report.version}});
  } else if (!invocation.quiet) {
    PrintLine(
        fmt::format("adopted {} rows in {} files of {} organisations, {}; {} files were known",
                    Grouped(report.rows), Grouped(report.files), Grouped(report.organisations),
                    ShortBytes(report.bytes), Grouped(report.known_files)));
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

Outcome Compact(const Invocation& invocation, const CompactFlags& flags) {
  const std::optional<std::chrono::milliseconds> vacuum_age = TRY(VacuumAge(flags));
  const auto work = TRY(LakeWork::Open(invocation));
  LakePlace& lake = work->lake();
  lake::CompactOptions options{.threads = ThreadsOf(work->settings())};
  if (!flags.organisation.empty()) options.organisation = flags.organisation;
  Random random = Random::FromEntropy();
  const lake::CompactReport report =
      TRY(lake::Compact(lake.store(), lake.log(), lake.schema(), options, random, work->stop()));
  lake::CommitLog::Vacuumed vacuumed;
  if (vacuum_age) {
    vacuumed = TRY(lake.log().Vacuum(work->clock().Now() - *vacuum_age));
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
               {"vacuumed_bytes", vacuumed.bytes}});
  } else if (!invocation.quiet) {
    PrintLine(fmt::format("{} partitions: {} files, {} became {} files, {}; {} rows, as before",
                          Grouped(report.partitions), Grouped(report.files_before),
                          ShortBytes(report.bytes_before), Grouped(report.files_after),
                          ShortBytes(report.bytes_after), Grouped(report.rows)));
    if (vacuum_age) {
      PrintLine(fmt::format("removed {} unused objects, {}", Grouped(vacuumed.objects),
                            ShortBytes(vacuumed.bytes)));
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
      "Files stay as they are; they must have the lake's columns and be sorted by time.");
  command->callback([options, &invocation, &action] {
    action = [options, &invocation] { return Adopt(invocation, *options); };
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
  command->footer("Example:\n  spillway compact --vacuum 7d");
  command->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return Compact(invocation, *flags); };
  });
}

}  // namespace spillway::cli
