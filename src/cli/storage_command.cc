#include <chrono>
#include <set>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/messages.h"
#include "config/scalar.h"
#include "deployment/deployment.h"
#include "maintenance/sweeper.h"
#include "settings/exports.h"

namespace spillway::cli {
namespace {

using std::chrono::seconds;

/// Younger objects may belong to work that is still running.
constexpr seconds kAgeMin = std::chrono::hours(1);

struct SweepFlags {
  std::string older_than = fmt::format("{}h", engine::kAbandonedAge.count());
  bool no_other_writers = false;
  bool dry_run = false;
};

Result<seconds> AgeOf(const SweepFlags& flags) {
  const auto age = config::ParseDuration(flags.older_than);
  if (!age.has_value()) {
    return Fail(ErrorCode::kInvalidArgument,
                "--older-than: \"" + flags.older_than + "\" is no age like 24h or 7d");
  }
  if (*age < kAgeMin && !flags.no_other_writers) {
    return Fail(ErrorCode::kInvalidArgument,
                "--older-than " + flags.older_than +
                    " would take uploads of whoever is writing now; use 1h or more, or add "
                    "--no-other-writers when there is nobody");
  }
  return std::chrono::floor<seconds>(*age);
}

Outcome SweepStorage(const Invocation& invocation, const SweepFlags& flags) {
  const seconds age = TRY(AgeOf(flags));
  const Settings settings = TRY(invocation.Load());
  Log log(LogLevel::kError, settings.log.format, STDERR_FILENO);
  const auto deployment = TRY(Deployment::OpenExisting(settings, invocation.registry, log));
  if (const auto state = deployment->CheckState(); !state.has_value() && !invocation.quiet)
    PrintLine(state.error().message, stderr);
  const auto sweep = flags.dry_run ? storage::Sweep::kCount : storage::Sweep::kRemove;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  std::set<std::string> places = {settings.lake.directory.string()};
  for (std::string& place : PlacesOf(settings, invocation.registry))
    places.insert(std::move(place));
  for (const std::string& place : places) {
    const auto store = TRY(deployment->stores().Open(place, Stores::Missing::kIsEmpty));
    const engine::Leftovers found =
        TRY(engine::SweepLeftovers(deployment->store(), *store, age, sweep));
    all.push_back({{"place", place},
                   {"jobs", found.jobs},
                   {"staged_objects", found.objects},
                   {"abandoned", found.abandoned},
                   {"removed", !flags.dry_run}});
    if (invocation.json || invocation.quiet) continue;
    PrintLine(fmt::format("{}: {} {} staged objects of {} jobs that are over, {} abandoned uploads",
                          place, flags.dry_run ? "has" : "removed", found.objects, found.jobs,
                          found.abandoned));
  }
  if (invocation.json) PrintJson(all);
  return ExitCode::kSuccess;
}

}  // namespace

void AddStorage(CLI::App& program, const Invocation& invocation, Action& action) {
  CLI::App* storage = program.add_subcommand("storage", "look after where files are kept");
  storage->require_subcommand(1);
  storage->footer("Example:\n  spillway storage sweep --dry-run");
  auto flags = std::make_shared<SweepFlags>();
  CLI::App* sweep = storage->add_subcommand(
      "sweep", "remove what crashed workers left: staged objects, unfinished uploads");
  sweep
      ->add_option("--older-than", flags->older_than,
                   "the least age of unfinished uploads that are taken for abandoned")
      ->capture_default_str();
  sweep->add_flag("--no-other-writers", flags->no_other_writers,
                  "nobody writes now: younger uploads are abandoned too");
  sweep->add_flag("--dry-run", flags->dry_run, "count, and remove nothing");
  sweep->footer(
      "Workers do the same now and then, wherever they have staged something.\n\n"
      "Example:\n  spillway storage sweep --dry-run");
  sweep->callback([flags, &invocation, &action] {
    action = [flags, &invocation] { return SweepStorage(invocation, *flags); };
  });
}

}  // namespace spillway::cli
