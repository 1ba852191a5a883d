#include "settings/settings.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "settings/exports.h"
#include "settings/s3_settings.h"
#include "settings/schedule_check.h"
#include "settings/setting_checks.h"
#include "storage/place.h"

namespace spillway {
namespace {

using config::Complaints;
using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

Section<ExportSettings> DeclareExport(const recipe::Registry& registry) {
  std::vector<std::pair<std::string, std::string>> names;
  Section<ExportSettings>::Options options;
  for (const auto& definition : registry) {
    if (definition->standing()) continue;
    const std::string name(definition->name());
    names.emplace_back(name, name);
    options.emplace_back(name, definition->settings());
  }
  Section<ExportSettings> section;
  section.Field("recipe", &ExportSettings::recipe)
      .Help("What kind of export it is.")
      .Essential()
      .OneOf(std::move(names));
  section.Field("destination", &ExportSettings::destination)
      .Help(
          "The directory that finished exports are published in, or s3://bucket/prefix: not in the "
          "lake's, nor around it.")
      .Essential()
      .Check(storage::CheckPlace);
  section.Field("parallel", &ExportSettings::parallel)
      .Help("How many jobs of this export run at the same time.")
      .Between(1, 1000);
  section.Field("retention", &ExportSettings::retention)
      .Help(
          "How long a finished job keeps its files, from its end on. Then they are removed; its "
          "record stays.");
  section.Field("redrive_within", &ExportSettings::redrive_within)
      .Help("How long a failed job keeps what it has staged, for redrive; at most the retention.");
  section.Choose("recipe", &ExportSettings::recipe, &ExportSettings::own, std::move(options));
  return section;
}

Section<EngineSettings> DeclareEngine() {
  Section<BackoffSettings> backoff;
  backoff.Field("base", &BackoffSettings::base)
      .Help("The pause before the second attempt; it doubles with each one.")
      .Between(milliseconds(1), hours(1));
  backoff.Field("max", &BackoffSettings::max)
      .Help("The longest pause.")
      .Between(milliseconds(1), hours(24));
  backoff.Rule([](const BackoffSettings& settings, Complaints& complaints) {
    if (settings.base <= settings.max) return;
    complaints.About("base",
                     fmt::format("is longer than the maximum of {}; use at most that",
                                 config::FormatDuration(settings.max)),
                     {"max"});
  });

  Section<EngineSettings> section;
  section.Field("threads", &EngineSettings::threads)
      .Help("Threads that work on chunks; 0 takes one for each core.")
      .Between(0, 1024);
  section.Field("lease", &EngineSettings::lease)
      .Help("Another worker takes over the work of one that has not renewed its lease for so long.")
      .Between(seconds(1), hours(1));
  section.Field("heartbeat", &EngineSettings::heartbeat)
      .Help("How often workers renew their leases and look for cancellations.")
      .Between(milliseconds(10), hours(1));
  section.Field("attempts", &EngineSettings::attempts)
      .Help("How often a chunk is tried that fails for passing reasons, without getting further.")
      .Between(1, 100);
  section.Field("backoff", &EngineSettings::backoff, std::move(backoff))
      .Help("The pauses between attempts.");
  section.Field("worker_memory", &EngineSettings::worker_memory)
      .Help("What a worker may hold of finished output while it waits for its turn to write.")
      .AtLeast({1 << 20});
  section.Rule([](const EngineSettings& settings, Complaints& complaints) {
    if (settings.heartbeat * 3 <= settings.lease) return;
    complaints.About("heartbeat",
                     fmt::format("is {}, too seldom for a lease of {}; use a third of it at most",
                                 config::FormatDuration(settings.heartbeat),
                                 config::FormatDuration(settings.lease)),
                     {"lease"});
  });
  return section;
}

Section<LogSettings> DeclareLog() {
  Section<LogSettings> section;
  section.Field("level", &LogSettings::level)
      .Help(
          "The least important lines that are logged; unless set, info for workers and error for "
          "run. As a variable, Python's names are understood, too: WARN, CRITICAL, FATAL, NOTSET.")
      .OneOf({{"debug", LogLevel::kDebug},
              {"info", LogLevel::kInfo},
              {"warning", LogLevel::kWarning},
              {"error", LogLevel::kError}})
      .Aliases({{"notset", LogLevel::kDebug},
                {"warn", LogLevel::kWarning},
                {"critical", LogLevel::kError},
                {"fatal", LogLevel::kError}})
      .Variable("LOG_LEVEL");
  section.Field("format", &LogSettings::format)
      .Help("json writes an object a line; text is for people.")
      .OneOf({{"json", LogFormat::kJson}, {"text", LogFormat::kText}});
  return section;
}

void CheckExports(const Settings& settings, const recipe::Registry& registry,
                  Complaints& complaints) {
  const recipe::SharedSettings shared{.lake = settings.lake, .databases = settings.databases};
  for (const auto& [name, exported] : settings.exports) {
    if (const auto* definition = recipe::FindDefinition(registry, exported.recipe))
      definition->Check("exports." + name, exported.own, shared, complaints);
  }
  for (const auto& definition : registry) {
    const auto standing = definition->standing();
    if (!standing || !settings.exports.contains(standing->name)) continue;
    if (!definition->CheckConfigured(settings.standing.at(standing->section)).has_value()) continue;
    complaints.About("exports",
                     fmt::format("has one named {}, which is what the section {} runs under; name "
                                 "it otherwise",
                                 standing->name, standing->section),
                     {standing->section});
  }
}

void CheckDestinations(const Settings& settings, const recipe::Registry& registry,
                       Complaints& complaints) {
  const std::filesystem::path& lake = settings.lake.directory;
  const auto check = [&](const std::string& field, const std::filesystem::path& place) {
    if (const auto complaint = CheckDestination(place, lake))
      complaints.About(field, *complaint, {"lake.directory"});
  };
  for (const auto& [name, exported] : settings.exports)
    check("exports." + name + ".destination", exported.destination);
  for (const auto& definition : registry) {
    const auto standing = definition->standing();
    if (!standing) continue;
    for (const recipe::Export& exported : ExportsOf(settings, *definition)) {
      for (const recipe::Place& place : definition->PlacesOf(exported.settings))
        check(standing->section, place.path);
    }
  }
}

}  // namespace

std::vector<std::string> Settings::FromVariablesIn(const std::string& section) const {
  std::vector<std::string> paths;
  for (const auto& [path, text] : texts_with_variables) {
    if (path.starts_with(section + ".")) paths.push_back(path.substr(section.size() + 1));
  }
  return paths;
}

Settings DefaultSettings(const recipe::Registry& registry) {
  Settings settings;
  for (const auto& definition : registry) {
    if (const auto standing = definition->standing()) settings.standing[standing->section] = {};
    if (definition->default_export().empty()) continue;
    settings.exports[std::string(definition->default_export())].recipe = definition->name();
  }
  return settings;
}

config::Section<Settings> DeclareSettings(const recipe::Registry& registry) {
  Section<Settings> section;
  section.Field("state", &Settings::state)
      .Help(
          "Where jobs are remembered: a SQLite file, or a PostgreSQL database, "
          "postgres://user@host:5432/database, which workers on any number of machines share. A "
          "password is best kept in PGPASSFILE or PGPASSWORD, or written as ${NAME}.")
      .Check(CheckState)
      .OneLine()
      .Essential();
  section.Field("signing_key", &Settings::signing_key)
      .Help(
          "The Ed25519 private key (PEM) that manifests are signed with, the same on all machines "
          "of a state; made before the first job, its public key (.pub.pem) beside it.")
      .Essential();
  section.Field("lake", &Settings::lake, lake::DeclareLake()).Help("Where messages are kept.");
  section.Field("s3", &Settings::s3, DeclareS3())
      .Help(
          "How buckets are reached. Credentials are never here: they come from where AWS's tools "
          "look for them (environment, shared files, web identity, container, instance).");
  section.Field("databases", &Settings::databases, postgres_source::DeclareDatabase())
      .Help("PostgreSQL databases that exports read, by name.");
  section.Field("exports", &Settings::exports, DeclareExport(registry))
      .Help("What can be exported, by name.");
  for (const auto& definition : registry) {
    if (const auto standing = definition->standing()) {
      section.Field(standing->section, &Settings::standing, definition->settings(), standing->help);
    }
  }
  section.Field("schedules", &Settings::schedules, DeclareSchedule(registry))
      .Help("Which exports run by the clock, by name of the schedule: docs/schedules.md.");
  section.Field("engine", &Settings::engine, DeclareEngine()).Help("How jobs are run.");
  section.Field("log", &Settings::log, DeclareLog()).Help("What is logged, and how.");
  section.Rule([&registry](const Settings& settings, Complaints& complaints) {
    CheckDestinations(settings, registry, complaints);
    CheckExports(settings, registry, complaints);
    CheckSchedules(settings, registry, complaints);
  });
  return section;
}

}  // namespace spillway
