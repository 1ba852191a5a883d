#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "config/section.h"

namespace spillway {

struct DatabaseLogin {
  std::string user;
  std::optional<std::string> password;
  bool operator==(const DatabaseLogin&) const = default;
};

/// The database whose changes are exported. Without a host, there is none.
struct OpenDataDatabase {
  std::string host;
  int port = 5432;
  std::string name = "postgres";
  std::string ssl_mode = "prefer";
  std::string schema;  ///< Of the export log; empty: as open_data::LogSchema finds it.
  DatabaseLogin read;
  DatabaseLogin write;
  bool operator==(const OpenDataDatabase&) const = default;
};

enum class FileLocation { kLocal, kS3 };
enum class DayBound { kTimeEnding, kTimeBeginning };
/// What becomes of the files of a day that has no readings any more.
enum class OnEmpty { kRemove, kKeep };

/// D5: every setting of the exporter has the environment variable that it always had, too.
struct OpenDataSettings {
  OpenDataDatabase database;
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
  bool operator==(const OpenDataSettings&) const = default;

  /// Whether there is something to export.
  bool configured() const { return !database.host.empty(); }

  /// The directory or s3://bucket/prefix of the files.
  std::string destination() const;
};

/// The name under which it is run: `spillway run open-data`.
inline constexpr std::string_view kOpenData = "open-data";

config::Section<OpenDataSettings> DeclareOpenData();

/// kInvalidArgument, saying what to set, where there is nothing to export.
Result<> CheckConfigured(const OpenDataSettings& settings);

}  // namespace spillway
