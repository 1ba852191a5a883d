#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/scalar.h"
#include "config/section.h"
#include "lake/lake_settings.h"
#include "recipe/definition.h"
#include "settings/schedule_settings.h"
#include "settings/state_address.h"
#include "source/postgres/database_settings.h"
#include "storage/s3/options.h"

namespace spillway {

struct ExportSettings {
  std::string recipe;                             ///< Empty: the first that the program has.
  std::filesystem::path destination = "exports";  ///< Or s3://bucket/prefix.
  int64_t parallel = 3;
  config::Lifetime retention;
  config::Lifetime redrive_within{std::chrono::hours(7 * 24)};
  config::AnyValue own;  ///< As the recipe declares it.
  bool operator==(const ExportSettings&) const = default;
};

struct BackoffSettings {
  std::chrono::milliseconds base{1'000};
  std::chrono::milliseconds max{60'000};
  bool operator==(const BackoffSettings&) const = default;
};

struct EngineSettings {
  int threads = 0;
  std::chrono::milliseconds lease{30'000};
  std::chrono::milliseconds heartbeat{200};
  int64_t attempts = 3;
  BackoffSettings backoff;
  config::ByteSize worker_memory{32 << 20};
  bool operator==(const EngineSettings&) const = default;
};

struct LogSettings {
  std::optional<LogLevel> level;  ///< Absent: info for workers, error for commands.
  LogFormat format = LogFormat::kText;
  bool operator==(const LogSettings&) const = default;
};

/// How buckets are reached. Credentials come from where AWS's own tools look for them.
struct S3Settings {
  std::optional<std::string> endpoint;
  std::string region = "us-east-1";
  std::optional<bool> path_style;  ///< Absent: where there is an endpoint.
  std::optional<std::filesystem::path> ca_file;
  storage::s3::Encryption::Kind encryption = storage::s3::Encryption::Kind::kBucketDefault;
  std::optional<std::string> kms_key;
  bool bucket_key = false;
  std::map<std::string, std::string> tags;
  config::ByteSize part_bytes{8 << 20};
  int parts_in_flight = 4;
  std::chrono::milliseconds retry_for{60'000};
  std::chrono::milliseconds copy_timeout{900'000};
  bool operator==(const S3Settings&) const = default;
};

/// Everything that can be set. Paths are usable as they are once loaded (see settings_file.h).
struct Settings {
  StateAddress state = "state.db";
  std::filesystem::path signing_key = "signing.pem";
  lake::LakeSettings lake;
  S3Settings s3;
  std::map<std::string, postgres_source::DatabaseSettings> databases;
  std::map<std::string, ExportSettings> exports;
  std::map<std::string, config::AnyValue> standing;  ///< Of recipes' StandingExports, by section.
  SchedulesByName schedules;
  EngineSettings engine;
  LogSettings log;
  /// What is shown of texts that variables gave, by path (config::VariableText); they are in the fields.
  std::map<std::string, std::string> texts_with_variables;

  /// Where such texts are in a section, as paths in it.
  std::vector<std::string> FromVariablesIn(const std::string& section) const;
  bool operator==(const Settings&) const = default;
};

/// What is in force where nothing is set.
Settings DefaultSettings(const recipe::Registry& registry);

/// The declaration of every setting: name, help, bounds and how they must fit together. `registry`
/// outlives it.
config::Section<Settings> DeclareSettings(const recipe::Registry& registry);

}  // namespace spillway
