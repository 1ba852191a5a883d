#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "config/section.h"
#include "recipe/open_data/open_data.h"

namespace spillway::recipe::open_data {

struct Login {
  std::string user;
  std::optional<std::string> password;
  bool operator==(const Login&) const = default;
};

/// The database whose changes are exported. Without a host, there is none.
struct Database {
  std::string host;
  int port = 5432;
  std::string name = "postgres";
  std::string ssl_mode = "prefer";
  std::string schema;  ///< Of the export log; empty: as LogSchema finds it.
  Login read;
  Login write;
  bool operator==(const Database&) const = default;
};

enum class FileLocation { kLocal, kS3 };
enum class DayBound { kTimeEnding, kTimeBeginning };
/// What becomes of the files of a day that has no readings any more.
enum class OnEmpty { kRemove, kKeep };

/// D5: every setting of the exporter has the environment variable that it always had, too.
struct Settings {
  Database database;
  FileLocation location = FileLocation::kLocal;
  std::filesystem::path directory = "data";
  std::string bucket;  ///< Perhaps with a prefix, or as s3://bucket/prefix.
  std::optional<std::filesystem::path>
      manifests;  ///< Or s3://bucket/prefix. Absent: with the files.
  std::string format = "csv.gz";
  int64_t limit = 0;
  std::chrono::milliseconds time_limit{0};
  std::optional<std::chrono::milliseconds> settle;  ///< Absent: as the log has it.
  std::chrono::milliseconds claim_timeout{3'600'000};
  int64_t attempts = 3;
  std::chrono::milliseconds retry_pause{300'000};
  std::chrono::milliseconds retry_for{60'000};
  OnEmpty on_empty = OnEmpty::kRemove;
  int64_t delete_max = 100;
  config::Lifetime manifest_retention;
  DayBound day = DayBound::kTimeEnding;
  bool operator==(const Settings&) const = default;

  /// Whether there is something to export.
  bool configured() const { return !database.host.empty(); }

  /// The directory or s3://bucket/prefix of the files.
  std::string destination() const;
};

/// The name under which it is run.
inline constexpr std::string_view kExportName = "open-data";

config::Section<Settings> Declare();

/// kInvalidArgument, saying what to set, where there is nothing to export.
Result<> CheckConfigured(const Settings& settings);

/// As postgres::Connection takes it.
std::string AddressOf(const Database& database, const Login& login);

OpenDataOptions OptionsOf(const Settings& settings);

}  // namespace spillway::recipe::open_data
