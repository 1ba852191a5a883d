#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/figures.h"
#include "base/signing.h"
#include "cli/command.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"
#include "deployment/deployment.h"
#include "maintenance/sweeper.h"
#include "recipe/examination.h"
#include "settings/exports.h"
#include "settings/settings_file.h"
#include "storage/maintenance.h"
#include "storage/objects.h"
#include "storage/s3_url.h"

namespace spillway::cli {
namespace {

constexpr uint64_t kFreeBytesMin = 1 << 30;

/// Writes, reads and removes a small object, as an export would.
Result<std::string> TryStore(storage::ObjectStore& store) {
  const std::string key = ".spillway/doctor-" + Random::FromEntropy().Hex(8);
  const std::string text = "written by spillway doctor";
  TRY(storage::PutWhole(store, key, text, storage::Overwrite::kNever));
  const std::string read = TRY(storage::ReadWhole(store, key));
  TRY(store.Remove(key));
  if (auto* const maintenance = store.maintenance()) TRY(maintenance->ProveCreateOnce());
  if (read != text) return Fail(ErrorCode::kCorrupt, "what was written reads otherwise");
  return "can be written";
}

Result<std::string> FreeSpace(const std::filesystem::path& directory) {
  struct statvfs space{};
  if (statvfs(directory.c_str(), &space) != 0)
    return std::unexpected(FromErrno(errno, directory.string()));
  const uint64_t free = uint64_t{space.f_bavail} * space.f_frsize;
  if (free < kFreeBytesMin) {
    return Fail(ErrorCode::kOutOfSpace,
                ShortBytes(free) + " free; an export of any size will fill it");
  }
  return ShortBytes(free) + " free";
}

constexpr const char* kNotYet = "is not there yet; the first command that needs it makes it";

/// Whoever can read a signing key can sign in its owner's name.
void LookWhoReadsKey(const std::filesystem::path& path, recipe::Examination& examination) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0 || (status.st_mode & S_IROTH) == 0) return;
  examination.Note("signing key " + path.string(),
                   fmt::format("everybody on this machine may read it (mode {:o}), and so sign as "
                               "you; chmod 600 {}",
                               status.st_mode & 0777, path.string()));
}

/// `recorded`: the id in the state, empty where there is none.
Result<std::string> LookAtKey(const std::filesystem::path& path, bool is_needed,
                              const std::string& recorded) {
  if (!is_needed && !IsThere(path)) return kNotYet;
  const SigningKey key = TRY(SigningKey::Load(path));
  const std::string id = key.verifying_key().id();
  TRY(CheckSigningKey(path, id, recorded));
  const std::filesystem::path beside = SigningKey::PublicPath(path);
  if (!IsThere(beside)) return "signs as " + id;
  TRY(CheckPublicKey(path, id));
  return fmt::format("signs as {}; recipients verify with {}", id, beside.string());
}

/// Whether a directory that does not exist yet could be made: makes another one where it would be.
Result<std::string> LookWhereNothingIsYet(const std::filesystem::path& path) {
  std::filesystem::path parent = path;
  while (parent.has_relative_path() && !IsThere(parent)) parent = parent.parent_path();
  std::string trial = parent / ".spillway-doctor-XXXXXX";
  if (mkdtemp(trial.data()) == nullptr) {
    Error error =
        FromErrno(errno, path.string() + " is not there, and cannot be made in " + parent.string());
    error.message += "; choose another place, or give this user access to it";
    return std::unexpected(std::move(error));
  }
  rmdir(trial.c_str());
  return kNotYet;
}

/// "12", or "1,000 or more".
Result<std::string> CountJobs(store::JobStore& store, engine::JobState state) {
  constexpr size_t kCountedMax = 1'000;
  const size_t jobs = TRY(store.List({.state = state}, "", kCountedMax)).jobs.size();
  return Grouped(static_cast<int64_t>(jobs)) + (jobs < kCountedMax ? "" : " or more");
}

using LookAtPlace =
    std::function<void(const std::string& what, const std::filesystem::path&, bool is_needed)>;

/// What the exports of a recipe need.
void LookAtExports(const Deployment& deployment, const recipe::Definition& definition,
                   const LookAtPlace& place, recipe::Examination& examination) {
  const Settings& settings = deployment.configuration();
  const std::vector<recipe::Export> exports = ExportsOf(settings, definition);
  if (const auto standing = definition.standing()) {
    const config::AnyValue& own = settings.standing.at(standing->section);
    if (exports.empty() && definition.IsMeant(own)) {
      examination.Look(standing->what, [&]() -> Result<std::string> {
        return std::unexpected(definition.CheckConfigured(own).error());
      });
    }
    for (const recipe::Export& each : exports) {
      for (const recipe::Place& found : definition.PlacesOf(each.settings))
        place(found.what, found.path, true);
    }
  }
  const auto recipe = deployment.recipes().Find(definition.name());
  if (recipe.has_value())
    definition.Examine(exports, {.lake = settings.lake, .databases = settings.databases}, **recipe,
                       examination);
}

/// Whether any export is configured. Without, there still is one, which may be of no use to anybody.
bool HasOwnExports(const Invocation& invocation, const Settings& settings) {
  const auto defaults = ParseSettings(
      "", std::filesystem::absolute(invocation.config).lexically_normal(), {}, invocation.registry);
  return !defaults.has_value() || defaults->exports != settings.exports;
}

void LookAtParts(recipe::Examination& examination, Deployment& deployment, bool has_own_exports) {
  const Settings& settings = deployment.configuration();
  bool key_is_needed = false;
  std::string key_id;
  examination.Look("state " + settings.state.Shown(), [&]() -> Result<std::string> {
    if (!deployment.has_state()) return kNotYet;
    key_id = TRY(deployment.store().SigningKeyId());
    key_is_needed = !key_id.empty() || !TRY(deployment.store().List({}, "", 1)).jobs.empty();
    return fmt::format("{} jobs in processing, {} waiting",
                       TRY(CountJobs(deployment.store(), engine::JobState::kProcessing)),
                       TRY(CountJobs(deployment.store(), engine::JobState::kPending)));
  });
  examination.Look("signing key " + settings.signing_key.string(),
                   [&] { return LookAtKey(settings.signing_key, key_is_needed, key_id); });
  LookWhoReadsKey(settings.signing_key, examination);
  const auto place = [&](const std::string& what, const std::filesystem::path& path,
                         bool is_needed) {
    const std::string named = what + " " + path.string();
    const bool is_bucket = storage::IsUrl(path.native());
    if (!is_bucket && !IsThere(path)) {
      const Result<std::string> found = LookWhereNothingIsYet(path);
      if (!found.has_value() && !is_needed) return examination.Note(named, found.error().message);
      examination.Look(named, [&] { return found; });
      return;
    }
    examination.Look(named, [&]() -> Result<std::string> {
      const auto store = TRY(deployment.stores().Open(path, Stores::Missing::kFails));
      std::string found = TRY(TryStore(*store));
      const engine::Leftovers left = TRY(engine::SweepLeftovers(
          deployment.store(), *store, engine::kAbandonedAge, storage::Sweep::kCount));
      if (left.objects + left.abandoned > 0) {
        found += fmt::format(
            ", {} objects of {} jobs that are over and {} abandoned uploads (`spillway storage "
            "sweep` removes them)",
            left.objects, left.jobs, left.abandoned);
      }
      return is_bucket ? found : found + ", " + TRY(FreeSpace(path));
    });
  };
  place("lake", settings.lake.directory, false);
  examination.Look("lake log", [&]() -> Result<std::string> {
    const Result<std::shared_ptr<LakePlace>> lake = deployment.ConfiguredLake();
    if (!lake.has_value() && lake.error().code == ErrorCode::kNotFound &&
        !storage::IsUrl(settings.lake.directory.native())) {
      return kNotYet;
    }
    if (!lake.has_value()) return std::unexpected(lake.error());
    lake::CommitLog& log = (*lake)->log();
    const std::vector<std::string> organisations = TRY(log.Organisations());
    const int64_t version = TRY(log.Version());
    return fmt::format("version {}, {} organisations", version, organisations.size());
  });
  for (const auto& [name, settings_of_export] : settings.exports) {
    place("export " + name, settings_of_export.destination, has_own_exports);
  }
  for (const auto& definition : deployment.registry())
    LookAtExports(deployment, *definition, place, examination);
}

Outcome Examine(const Invocation& invocation) {
  Log log(LogLevel::kError, LogFormat::kText, STDERR_FILENO);
  const Settings settings = TRY(invocation.Load());
  recipe::Examination examination;
  const std::string variables = invocation.EnvFile();
  examination.Look("configuration " + invocation.config.string(), [&]() -> Result<std::string> {
    return std::string(invocation.HasFile() ? "good" : "no file; the defaults are in force") +
           (variables.empty() ? "" : "; with variables of " + variables);
  });
  const auto deployment = Deployment::OpenExisting(settings, invocation.registry, log);
  if (deployment.has_value()) {
    LookAtParts(examination, **deployment, HasOwnExports(invocation, settings));
  } else {
    examination.Look("deployment",
                     [&]() -> Result<std::string> { return std::unexpected(deployment.error()); });
  }
  bool good = true;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const recipe::Finding& finding : examination.findings()) {
    const std::string detail = InCommands(finding.detail);
    const bool is_good = finding.grade != recipe::Finding::Grade::kBad;
    const bool is_note = finding.grade == recipe::Finding::Grade::kNote;
    good &= is_good;
    if (invocation.json) {
      all.push_back(
          {{"what", finding.what}, {"good", is_good}, {"note", is_note}, {"detail", detail}});
    } else if (!invocation.quiet || !is_good) {
      PrintLine(fmt::format("{}  {}: {}",
                            !is_good  ? "FAIL"
                            : is_note ? "note"
                                      : "ok  ",
                            finding.what, detail));
    }
  }
  if (invocation.json) PrintJson(all);
  return good ? ExitCode::kSuccess : ExitCode::kFailed;
}

}  // namespace

void AddDoctor(CLI::App& program, const Invocation& invocation, Action& action) {
  CLI::App* command =
      program.add_subcommand("doctor", "look whether everything that is configured can work");
  command->footer(
      "It connects to every database and bucket and reads and writes as exports would; nothing "
      "stays behind.\n\nExamples:\n  spillway doctor\n  spillway --json doctor");
  command->callback(
      [&invocation, &action] { action = [&invocation] { return Examine(invocation); }; });
}

}  // namespace spillway::cli
