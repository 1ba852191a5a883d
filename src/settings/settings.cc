#include "settings/settings.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/nearest_name.h"
#include "batch/column_type.h"
#include "settings/output_checks.h"
#include "settings/query_settings.h"
#include "settings/s3_settings.h"
#include "settings/setting_checks.h"

namespace spillway {
namespace {

using config::Complaint;
using config::Complaints;
using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

Complaint CheckColumnType(const std::string& type) {
  const auto parsed = batch::ParseColumnType(type);
  if (parsed.has_value()) return std::nullopt;
  return "has an " + parsed.error().message;
}

Complaint CheckDelimiter(char delimiter) {
  const auto checked = format::CheckCsvDelimiter(delimiter);
  if (checked.has_value()) return std::nullopt;
  return checked.error().message;
}

void CheckLakeColumns(const LakeSettings& lake, Complaints& complaints) {
  std::set<std::string> names;
  const ColumnSettings* time = nullptr;
  for (size_t i = 0; i < lake.columns.size(); ++i) {
    const ColumnSettings& column = lake.columns[i];
    const std::string field = fmt::format("columns[{}].name", i);
    if (!names.insert(column.name).second) {
      complaints.About(field, fmt::format("is {} once more; name each column once",
                                          config::Quoted(column.name)));
    }
    if (column.name == lake.organisation) {
      complaints.About(field,
                       "is the organisation, which is no column but the partition; remove it");
    }
    if (column.name == lake.time && time == nullptr) time = &column;
  }
  if (time == nullptr) {
    complaints.About("time",
                     fmt::format("is {}, which is no column; name one of the columns of type "
                                 "timestamp",
                                 config::Quoted(lake.time)),
                     {"columns"});
  } else if (time->type != "timestamp") {
    complaints.About("time",
                     fmt::format("is {}, a column of type {}; name one of type timestamp",
                                 config::Quoted(lake.time), time->type),
                     {"columns"});
  }
}

Section<LakeSettings> DeclareLake() {
  Section<ColumnSettings> column;
  column.Field("name", &ColumnSettings::name)
      .Help("The field in the messages, and the column in the lake.")
      .Required()
      .Check(CheckNotEmpty);
  column.Field("type", &ColumnSettings::type)
      .Help("string, timestamp, int64, double, bool, date or decimal(precision,scale).")
      .Required()
      .Check(CheckColumnType);

  Section<LakeSettings> section;
  section.Field("directory", &LakeSettings::directory)
      .Help("The directory that holds the messages as Parquet files, or s3://bucket/prefix.")
      .Essential()
      .Check(CheckPlace);
  section.Field("organisation", &LakeSettings::organisation)
      .Help("The field of a message that says which organisation it belongs to.")
      .Essential()
      .Check(CheckNotEmpty);
  section.Field("time", &LakeSettings::time)
      .Help("The column that says when a message was; of type timestamp.")
      .Essential();
  section.Field("columns", &LakeSettings::columns, std::move(column))
      .Help(
          "What a message has besides its organisation. Columns of a lake that holds messages stay "
          "as "
          "they are.")
      .Essential();
  section.Field("unknown_fields", &LakeSettings::unknown_fields)
      .Help("What ingest does with a message that has a field which is no column.")
      .OneOf({{"reject", lake::UnknownFields::kReject}, {"ignore", lake::UnknownFields::kIgnore}});
  section.Field("line_bytes_max", &LakeSettings::line_bytes_max)
      .Help("Longer lines are rejected by ingest.")
      .Between({1 << 10}, {lake::kLineBytesLimit});
  section.Field("ingest_memory", &LakeSettings::ingest_memory)
      .Help("What ingest may hold in memory before it writes a file.")
      .AtLeast({16 << 20});
  section.Rule(CheckLakeColumns);
  return section;
}

void CheckNullMarker(const CsvSettings& csv, Complaints& complaints) {
  const auto checked = format::CheckCsvNullMarker(csv.null_marker, csv.delimiter);
  if (checked.has_value()) return;
  complaints.About("null_marker", checked.error().message, {"delimiter"});
}

Section<CsvSettings> DeclareCsv() {
  Section<CsvSettings> section;
  section.Field("profile", &CsvSettings::profile)
      .Help(
          "Who reads the files. rfc4180: any program. excel: a byte order mark, and formulas are "
          "escaped.")
      .OneOf({{"rfc4180", CsvProfile::kRfc4180}, {"excel", CsvProfile::kExcel}});
  section.Field("delimiter", &CsvSettings::delimiter).Help("Between fields.").Check(CheckDelimiter);
  section.Field("line_end", &CsvSettings::line_end)
      .Help("Behind each line.")
      .OneOf({{"crlf", "\r\n"}, {"lf", "\n"}});
  section.Field("null_marker", &CsvSettings::null_marker)
      .Help(
          "What an absent value is written as. Without one, in a file of one column, it is \"\", "
          "as "
          "an empty text is, because readers pass over empty lines: set one there.");
  section.Field("quoting", &CsvSettings::quoting)
      .Help("Which fields stand in quotes: those that need it, or all but absent values.")
      .OneOf({{"needed", format::Quoting::kNeeded}, {"all", format::Quoting::kAll}});
  section.Field("header", &CsvSettings::header).Help("A first line with the names of the columns.");
  section.Field("byte_order_mark", &CsvSettings::byte_order_mark)
      .Help("Begin files with a UTF-8 byte order mark; unless set, as the profile says.");
  section.Field("escape_formulas", &CsvSettings::escape_formulas)
      .Help(
          "Put an apostrophe before texts that a spreadsheet would run, never before numbers; "
          "unless "
          "set, as the profile says.");
  section.Field("whole_floats", &CsvSettings::whole_floats)
      .Help(
          "How a whole number is written in a column of floats: with_point, 14.0, which every "
          "reader "
          "takes for a float; or bare, 14.")
      .OneOf(
          {{"with_point", format::WholeFloats::kWithPoint}, {"bare", format::WholeFloats::kBare}});
  section.Rule(CheckNullMarker);
  return section;
}

Section<LimitSettings> DeclareLimits() {
  Section<LimitSettings> section;
  section.Field("rows_per_file", &LimitSettings::rows_per_file)
      .Help("Rows in a file; 0 for no limit.")
      .Between(0, int64_t{1} << 53);
  section.Field("bytes_per_file", &LimitSettings::bytes_per_file)
      .Help("Bytes in a file, before compression; 0 for no limit.");
  section.Field("columns_max", &LimitSettings::columns_max)
      .Help("Columns of an export; 0 for no limit.")
      .AtLeast(0);
  section.Field("on_limit", &LimitSettings::on_limit)
      .Help(
          "What happens at a limit: split begins another file, fail fails the job, truncate leaves "
          "the "
          "rest out. The manifest says which happened.")
      .OneOf({{"split", recipe::OnLimit::kSplit},
              {"fail", recipe::OnLimit::kFail},
              {"truncate", recipe::OnLimit::kTruncate}});
  return section;
}

Section<ExportSettings> DeclareExport() {
  Section<ExportColumnSettings> column;
  column.Field("source", &ExportColumnSettings::source)
      .Help("A column of the lake, the table or the query.")
      .Required();
  column.Field("name", &ExportColumnSettings::name)
      .Help("What the export calls it; the source's name unless set.")
      .Check(CheckNotEmpty);
  column.Shorthand("source");

  Section<ExportSettings> section;
  section.Field("recipe", &ExportSettings::recipe)
      .Help("What kind of export it is.")
      .Essential()
      .OneOf({{"message_export", ExportRecipe::kMessageExport},
              {"query_export", ExportRecipe::kQueryExport}});
  section.Field("database", &ExportSettings::database).Help("Of query_export: one of databases.");
  section.Field("table", &ExportSettings::table)
      .Help("Of query_export: what to read, as schema.table; views are fine.");
  section.Field("query", &ExportSettings::query)
      .Help(
          "Of query_export: one SELECT instead of a table; `:name` is a parameter, which a request "
          "gives a value.");
  section.Field("split_by", &ExportSettings::split_by)
      .Help(
          "Of query_export: how reading is shared between workers. auto: tables by where rows lie "
          "on disk, queries not at all; none: one reader, in the query's order; or a column, best "
          "one with an index, by whose ranges the rows are then ordered.")
      .Check(CheckNotEmpty);
  section.Field("key", &ExportSettings::key)
      .Help(
          "Of query_export with split_by: columns that tell rows apart, [id]. What is read is then "
          "held against what was counted key by key; a table's own primary key is found without.");
  section.Field("row_security", &ExportSettings::row_security)
      .Help(
          "Of query_export, where a policy of row level security would hide rows from the role. "
          "refuse: the export fails; allow: it has the rows that the policy shows, and its "
          "manifest names the tables.")
      .OneOf({{"refuse", RowSecurity::kRefuse}, {"allow", RowSecurity::kAllow}});
  section.Field("destination", &ExportSettings::destination)
      .Help("The directory that finished exports are published in, or s3://bucket/prefix.")
      .Essential()
      .Check(CheckPlace);
  section.Field("format", &ExportSettings::format)
      .Help("The format of the files.")
      .Essential()
      .OneOf({{"csv", recipe::FileFormat::kCsv},
              {"json", recipe::FileFormat::kJson},
              {"ndjson", recipe::FileFormat::kNdjson},
              {"parquet", recipe::FileFormat::kParquet}});
  section.Field("compression", &ExportSettings::compression)
      .Help(
          "How files are compressed; zip makes one archive with a file for each day, or each part "
          "of a query's rows. gzip and zstd "
          "files have several members or frames, one behind the other, as their formats allow: "
          "python-zstandard reads all of them with read_across_frames=True only.")
      .Essential()
      .OneOf({{"none", recipe::Compression::kNone},
              {"gzip", recipe::Compression::kGzip},
              {"zstd", recipe::Compression::kZstd},
              {"zip", recipe::Compression::kZip}});
  section.Field("compression_level", &ExportSettings::compression_level)
      .Help(
          "1 is fastest; 9, for zstd and parquet 19, is smallest. Of parquet it is the level of "
          "the "
          "zstd inside.")
      .Between(1, 19);
  section.Field("columns", &ExportSettings::columns, std::move(column))
      .Help(
          "The columns in their order, each a name or {source: …, name: …}; all that there are "
          "where "
          "the list is empty.");
  section.Field("time_zone", &ExportSettings::time_zone)
      .Help("The IANA time zone that days and times are written in.")
      .Check(CheckTimeZone);
  section.Field("parallel", &ExportSettings::parallel)
      .Help("How many jobs of this export run at the same time.")
      .Between(1, 1000);
  section.Field("csv", &ExportSettings::csv, DeclareCsv())
      .Help("How CSV is written, where format is csv or a run asks for it.");
  section.Field("limits", &ExportSettings::limits, DeclareLimits())
      .Help("How large files may get.");
  section.Field("retention", &ExportSettings::retention)
      .Help(
          "How long a finished job keeps its files, from its end on. Then they are removed; its "
          "record stays.");
  section.Field("redrive_within", &ExportSettings::redrive_within)
      .Help("How long a failed job keeps what it has staged, for redrive; at most the retention.");
  section.Rule(CheckOutputSettings);
  section.Rule(CheckRecipe);
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
      .Help("The work of a worker that is silent for so long is taken over by another.")
      .Between(seconds(1), hours(1));
  section.Field("heartbeat", &EngineSettings::heartbeat)
      .Help("How often workers renew their leases and look for cancellations.")
      .Between(milliseconds(10), hours(1));
  section.Field("attempts", &EngineSettings::attempts)
      .Help("How often a chunk is tried that fails for passing reasons.")
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

void CheckExportNames(const Settings& settings, Complaints& complaints) {
  if (settings.open_data.configured() && settings.exports.contains(std::string(kOpenData))) {
    complaints.About("exports",
                     "has one named open-data, which is what the section open_data runs under; "
                     "name it otherwise",
                     {"open_data"});
  }
}

void CheckExportColumns(const Settings& settings, Complaints& complaints) {
  std::vector<std::string> known;
  known.reserve(settings.lake.columns.size());
  for (const ColumnSettings& column : settings.lake.columns) known.push_back(column.name);
  for (const auto& [name, exported] : settings.exports) {
    std::set<std::string> names;
    for (size_t i = 0; i < exported.columns.size(); ++i) {
      const ExportColumnSettings& column = exported.columns[i];
      const std::string field = fmt::format("exports.{}.columns[{}]", name, i);
      if (exported.recipe == ExportRecipe::kMessageExport &&
          std::ranges::find(known, column.source) == known.end()) {
        const auto nearest = NearestName(column.source, known);
        complaints.About(field, fmt::format("is {}, which is no column of the lake; {}",
                                            config::Quoted(column.source),
                                            nearest ? "did you mean " + *nearest + "?"
                                                    : "use " + config::Alternatives(known)));
      }
      if (!names.insert(column.name.value_or(column.source)).second) {
        complaints.About(field, fmt::format("has the name {} once more; give each column its own",
                                            config::Quoted(column.name.value_or(column.source))));
      }
    }
  }
}

}  // namespace

config::Section<Settings> DeclareSettings() {
  Section<Settings> section;
  section.Field("state", &Settings::state)
      .Help(
          "Where jobs are remembered: a SQLite file, or a PostgreSQL database, "
          "postgres://user@host:5432/database, which workers on any number of machines share. A "
          "password is best kept in PGPASSFILE or PGPASSWORD, or written as ${NAME}.")
      .Check(CheckState)
      .Essential();
  section.Field("signing_key", &Settings::signing_key)
      .Help(
          "The Ed25519 private key (PEM) that manifests are signed with; made before the first "
          "job, its public key (.pub.pem) beside it.")
      .Essential();
  section.Field("lake", &Settings::lake, DeclareLake()).Help("Where messages are kept.");
  section.Field("s3", &Settings::s3, DeclareS3())
      .Help(
          "How buckets are reached. Credentials are never here: they come from where AWS's tools "
          "look for them (environment, shared files, web identity, container, instance).");
  section.Field("databases", &Settings::databases, DeclareDatabase())
      .Help("PostgreSQL databases that exports read, by name.");
  section.Field("exports", &Settings::exports, DeclareExport())
      .Help("What can be exported, by name.");
  section.Field("open_data", &Settings::open_data, DeclareOpenData())
      .Help("Daily files of readings, by location: docs/open-data.md.");
  section.Field("schedules", &Settings::schedules, DeclareSchedule())
      .Help("Which exports run by the clock, by name of the schedule: docs/schedules.md.");
  section.Field("engine", &Settings::engine, DeclareEngine()).Help("How jobs are run.");
  section.Field("log", &Settings::log, DeclareLog()).Help("What is logged, and how.");
  section.Rule(CheckExportColumns);
  section.Rule(CheckExportNames);
  section.Rule(CheckDatabases);
  section.Rule(CheckSchedules);
  return section;
}

recipe::OutputOptions OutputOptionsOf(const ExportSettings& settings) {
  const CsvSettings& csv = settings.csv;
  const bool excel = csv.profile == CsvProfile::kExcel;
  recipe::OutputOptions options{.format = settings.format,
                                .compression = settings.compression,
                                .compression_level = settings.compression_level,
                                .time_zone = settings.time_zone,
                                .csv = {.delimiter = csv.delimiter,
                                        .line_end = csv.line_end,
                                        .null_marker = csv.null_marker,
                                        .quoting = csv.quoting,
                                        .header = csv.header,
                                        .byte_order_mark = csv.byte_order_mark.value_or(excel),
                                        .escape_formulas = csv.escape_formulas.value_or(excel),
                                        .whole_floats = csv.whole_floats,
                                        .time_zone = settings.time_zone},
                                .limits = {.rows_per_file = settings.limits.rows_per_file,
                                           .bytes_per_file = settings.limits.bytes_per_file.bytes,
                                           .columns_max = settings.limits.columns_max,
                                           .on_limit = settings.limits.on_limit},
                                .destination = settings.destination.string()};
  for (const ExportColumnSettings& column : settings.columns) {
    options.columns.push_back({column.source, column.name.value_or(column.source)});
  }
  return options;
}

}  // namespace spillway
