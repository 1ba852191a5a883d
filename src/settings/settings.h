#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "config/scalar.h"
#include "config/section.h"
#include "format/format.h"
#include "lake/ingest/ndjson_row_parser.h"
#include "recipe/output/output_options.h"
#include "settings/open_data_settings.h"
#include "settings/schedule_settings.h"
#include "settings/state_address.h"
#include "storage/s3/options.h"

namespace spillway {

/// A column of the lake. The type is a text of batch::ParseColumnType.
struct ColumnSettings {
  std::string name;
  std::string type;
  bool operator==(const ColumnSettings&) const = default;
};

struct LakeSettings {
  std::filesystem::path directory = "lake";  ///< Or s3://bucket/prefix.
  std::string organisation = "organisation";
  std::string time = "ts";
  std::vector<ColumnSettings> columns = {{"message_id", "string"},   {"ts", "timestamp"},
                                         {"sender", "string"},       {"recipient", "string"},
                                         {"channel", "string"},      {"status", "string"},
                                         {"price", "decimal(10,4)"}, {"body", "string"}};
  lake::UnknownFields unknown_fields = lake::UnknownFields::kReject;
  config::ByteSize line_bytes_max{1 << 20};
  config::ByteSize ingest_memory{512 << 20};
  bool operator==(const LakeSettings&) const = default;
};

/// A column of an export: one of the lake's, under the same name unless another is given.
struct ExportColumnSettings {
  std::string source;
  std::optional<std::string> name;
  bool operator==(const ExportColumnSettings&) const = default;
};

enum class CsvProfile { kRfc4180, kExcel };

/// What is absent is as the profile says.
struct CsvSettings {
  CsvProfile profile = CsvProfile::kRfc4180;
  char delimiter = ',';
  std::string line_end = "\r\n";
  std::string null_marker;
  format::Quoting quoting = format::Quoting::kNeeded;
  bool header = true;
  std::optional<bool> byte_order_mark;
  std::optional<bool> escape_formulas;
  format::WholeFloats whole_floats = format::WholeFloats::kWithPoint;
  bool operator==(const CsvSettings&) const = default;
};

/// Zero: no limit.
struct LimitSettings {
  int64_t rows_per_file = 0;
  config::ByteSize bytes_per_file;
  int64_t columns_max = 0;
  recipe::OnLimit on_limit = recipe::OnLimit::kSplit;
  bool operator==(const LimitSettings&) const = default;
};

/// A PostgreSQL database that exports read.
struct DatabaseSettings {
  std::string url;
  std::chrono::milliseconds statement_timeout{0};
  bool operator==(const DatabaseSettings&) const = default;
};

enum class ExportRecipe { kMessageExport, kQueryExport };

/// How a query export is cut: one of these, or the name of a column.
inline constexpr std::string_view kSplitAuto = "auto";
inline constexpr std::string_view kSplitNone = "none";

/// What a query export does where a policy of row security would hide rows.
enum class RowSecurity { kRefuse, kAllow };

struct ExportSettings {
  ExportRecipe recipe = ExportRecipe::kMessageExport;
  std::filesystem::path destination = "exports";  ///< Or s3://bucket/prefix.
  std::string database;
  std::string table;
  std::string query;
  std::string split_by{kSplitAuto};
  std::vector<std::string> key;
  RowSecurity row_security = RowSecurity::kRefuse;
  recipe::FileFormat format = recipe::FileFormat::kCsv;
  recipe::Compression compression = recipe::Compression::kNone;
  int compression_level = 1;
  std::vector<ExportColumnSettings> columns;
  std::string time_zone = "UTC";
  int64_t parallel = 3;
  CsvSettings csv;
  LimitSettings limits;
  config::Lifetime retention;
  config::Lifetime redrive_within{std::chrono::hours(7 * 24)};
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
  LakeSettings lake;
  S3Settings s3;
  std::map<std::string, DatabaseSettings> databases;
  std::map<std::string, ExportSettings> exports = {{"messages", {}}};
  OpenDataSettings open_data;
  SchedulesByName schedules;
  EngineSettings engine;
  LogSettings log;
  bool operator==(const Settings&) const = default;
};

/// The declaration of every setting: name, help, bounds and how they must fit together.
config::Section<Settings> DeclareSettings();

/// Whether schedules fit the exports that they run.
void CheckSchedules(const Settings& settings, config::Complaints& complaints);

/// The time zone of a schedule.
std::string ZoneOf(const Settings& settings, const ScheduleSettings& schedule);

/// The defaults of an export's requests.
recipe::OutputOptions OutputOptionsOf(const ExportSettings& settings);

}  // namespace spillway
