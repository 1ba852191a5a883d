#include "recipe/output/output_settings.h"

#include <set>
#include <utility>

#include <fmt/format.h>

#include "config/checks.h"

namespace spillway::recipe {
namespace {

using config::Complaint;
using config::Complaints;
using config::Section;

Complaint CheckDelimiter(char delimiter) {
  const auto checked = format::CheckCsvDelimiter(delimiter);
  if (checked.has_value()) return std::nullopt;
  return checked.error().message;
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
      .Help("What ends each line.")
      .OneOf({{"crlf", "\r\n"}, {"lf", "\n"}});
  section.Field("null_marker", &CsvSettings::null_marker)
      .Help(
          "What an absent value is written as. Without one, in a file of one column, it is \"\", "
          "as an empty text is, because readers pass over empty lines: set one there.");
  section.Field("quoting", &CsvSettings::quoting)
      .Help("Which fields stand in quotes: those that need it, or all but absent values.")
      .OneOf({{"needed", format::Quoting::kNeeded}, {"all", format::Quoting::kAll}});
  section.Field("header", &CsvSettings::header).Help("A first line with the names of the columns.");
  section.Field("byte_order_mark", &CsvSettings::byte_order_mark)
      .Help("Begin files with a UTF-8 byte order mark; unless set, as the profile says.");
  section.Field("escape_formulas", &CsvSettings::escape_formulas)
      .Help(
          "Put an apostrophe before texts that a spreadsheet would run, never before numbers; "
          "unless set, as the profile says.");
  section.Field("whole_floats", &CsvSettings::whole_floats)
      .Help(
          "How a whole number is written in a column of floats: with_point, 14.0, which every "
          "reader takes for a float; or bare, 14.")
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
          "the rest out. The manifest says which happened.")
      .OneOf(
          {{"split", OnLimit::kSplit}, {"fail", OnLimit::kFail}, {"truncate", OnLimit::kTruncate}});
  return section;
}

void CheckNames(const OutputSettings& settings, Complaints& complaints) {
  std::set<std::string> names;
  for (size_t i = 0; i < settings.columns.size(); ++i) {
    const ExportColumnSettings& column = settings.columns[i];
    const std::string name = column.name.value_or(column.source);
    if (names.insert(name).second) continue;
    complaints.About(fmt::format("columns[{}]", i),
                     fmt::format("has the name {} a second time; give each column its own",
                                 config::Quoted(name)));
  }
}

void CheckOutputSettings(const OutputSettings& settings, Complaints& complaints) {
  const int level = settings.compression_level;
  const int level_max = LevelMax(settings.format, settings.compression);
  if (!HasLevel(settings.format, settings.compression) && level != kDefaultLevel) {
    complaints.About(
        "compression_level",
        fmt::format("is {}, and nothing is compressed; set compression, or leave it out", level),
        {"compression"});
  } else if (level > level_max) {
    complaints.About("compression_level",
                     fmt::format("is {}, which only zstd has; use 1 to {}", level, level_max),
                     {"compression"});
  }
  const LimitSettings& limits = settings.limits;
  if (limits.on_limit != OnLimit::kSplit && limits.rows_per_file == 0 &&
      limits.bytes_per_file.bytes == 0) {
    complaints.About("limits",
                     "has an on_limit but no limit to act at; give rows_per_file or bytes_per_file",
                     {});
  }
}

}  // namespace

Section<OutputSettings> DeclareOutput() {
  Section<ExportColumnSettings> column;
  column.Field("source", &ExportColumnSettings::source)
      .Help("A column of the lake, the table or the query.")
      .Required();
  column.Field("name", &ExportColumnSettings::name)
      .Help("What the export calls it; the source's name unless set.")
      .OneLine()
      .Check(config::CheckNotEmpty);
  column.Shorthand("source");

  Section<OutputSettings> section;
  section.Field("format", &OutputSettings::format)
      .Help("The format of the files.")
      .Essential()
      .OneOf({{"csv", FileFormat::kCsv},
              {"json", FileFormat::kJson},
              {"ndjson", FileFormat::kNdjson},
              {"parquet", FileFormat::kParquet}});
  section.Field("compression", &OutputSettings::compression)
      .Help(
          "How files are compressed; zip makes one archive with a file for each day, or each part "
          "of a query's rows. gzip and zstd files have several members or frames, one after the "
          "other, as their formats allow: python-zstandard reads all of them with "
          "read_across_frames=True only.")
      .Essential()
      .OneOf({{"none", Compression::kNone},
              {"gzip", Compression::kGzip},
              {"zstd", Compression::kZstd},
              {"zip", Compression::kZip}});
  section.Field("compression_level", &OutputSettings::compression_level)
      .Help(
          "1 is fastest; 9, for zstd and parquet 19, is smallest. Of parquet it is the level of "
          "the zstd inside.")
      .Between(1, 19);
  section.Field("columns", &OutputSettings::columns, std::move(column))
      .Help(
          "The columns in their order, each a name or {source: …, name: …}; all that there are "
          "where the list is empty.");
  section.Field("time_zone", &OutputSettings::time_zone)
      .Help("The IANA time zone that days and times are written in.")
      .Check(config::CheckTimeZone);
  section.Field("csv", &OutputSettings::csv, DeclareCsv())
      .Help("How CSV is written, where format is csv or a run asks for it.");
  section.Field("limits", &OutputSettings::limits, DeclareLimits())
      .Help("How large files may get.");
  section.Rule(CheckOutputSettings);
  section.Rule(CheckNames);
  return section;
}

OutputOptions OptionsOf(const OutputSettings& settings, std::string destination) {
  const CsvSettings& csv = settings.csv;
  const bool excel = csv.profile == CsvProfile::kExcel;
  OutputOptions options{.format = settings.format,
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
                        .destination = std::move(destination)};
  for (const ExportColumnSettings& column : settings.columns) {
    options.columns.push_back({column.source, column.name.value_or(column.source)});
  }
  return options;
}

std::vector<request::Field> OutputFields() {
  using Kind = request::Field::Kind;
  return {
      {.name = "format",
       .kind = Kind::kChoice,
       .help = "the format of the files",
       .letter = 'f',
       .choices = {{"csv", "csv"}, {"json", "json"}, {"ndjson", "ndjson"}, {"parquet", "parquet"}}},
      {.name = "compression",
       .kind = Kind::kChoice,
       .help = "how files are compressed; zip makes one archive with a file for each day",
       .letter = 'C',
       .choices = {{"none", "none"}, {"gzip", "gzip"}, {"zstd", "zstd"}, {"zip", "zip"}}},
      {.name = "compression_level",
       .kind = Kind::kCount,
       .help = "1 is fast; 9 (of zstd and parquet 19) is small",
       .least = 1,
       .most = 19},
      {.name = "columns",
       .kind = Kind::kColumns,
       .help = "columns and their order, each name or source=name"},
      {.name = "null_marker",
       .help = "what an absent value is written as in CSV",
       .member = "csv.null_marker",
       .flag = "null",
       .may_be_empty = true},
      {.name = "line_end",
       .kind = Kind::kChoice,
       .help = "how lines of CSV end",
       .member = "csv.line_end",
       .choices = {{"crlf", "\r\n"}, {"lf", "\n"}}},
      {.name = "rows_per_file",
       .kind = Kind::kCount,
       .help = "the most rows in a file",
       .member = "limits.rows_per_file",
       .most = int64_t{1} << 53},
      {.name = "bytes_per_file",
       .kind = Kind::kSize,
       .help = "the most bytes in a file, before compression",
       .member = "limits.bytes_per_file"},
      {.name = "on_limit",
       .kind = Kind::kChoice,
       .help = "what happens at a limit",
       .member = "limits.on_limit",
       .choices = {{"split", "split"}, {"fail", "fail"}, {"truncate", "truncate"}}},
      {.name = "output",
       .kind = Kind::kPlace,
       .help = "directory or s3://bucket/prefix for the files",
       .member = "destination",
       .letter = 'O',
       .set_by = request::Role::kOperator},
  };
}

}  // namespace spillway::recipe
