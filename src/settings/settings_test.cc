#include "settings/settings.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "batch/column_type.h"
#include "recipe/open_data/settings.h"
#include "recipe/output/output_settings.h"
#include "recipe/registry.h"
#include "settings/settings_file.h"

namespace spillway {
namespace {

using config::Outline;
using testing::ElementsAre;
using testing::HasSubstr;
using OpenDataSettings = recipe::open_data::Settings;

const recipe::Registry& TheRegistry() {
  static const recipe::Registry kRegistry = recipe::RecipesInProgram();
  return kRegistry;
}

std::vector<std::string> Lines(const std::expected<Settings, config::Problems>& loaded) {
  std::vector<std::string> lines;
  if (loaded) return lines;
  for (const config::Problem& problem : loaded.error()) lines.push_back(config::ToString(problem));
  return lines;
}

std::vector<std::string> ProblemsOf(const std::string& text,
                                    const config::Environment& environment = {}) {
  return Lines(ParseSettings(text, "spillway.yaml", {environment, {}}, TheRegistry()));
}

Settings Loaded(const std::string& text, const config::Environment& environment = {}) {
  const auto settings = ParseSettings(text, "spillway.yaml", {environment, {}}, TheRegistry());
  EXPECT_THAT(Lines(settings), ElementsAre());
  return settings.value_or(DefaultSettings(TheRegistry()));
}

TEST(Settings, NothingGivenIsTheDefaults) { EXPECT_EQ(Loaded(""), DefaultSettings(TheRegistry())); }

TEST(Settings, TheStartingFileReadsAsTheDefaults) {
  const std::string text = StartingSettings(TheRegistry());
  EXPECT_EQ(Loaded(text), DefaultSettings(TheRegistry()));
  // Secrets name a variable, which need not be set.
  const std::string uncommented =
      std::regex_replace(text, std::regex("(^|\n)( *)#([a-z][^$\n]*\n)"), "$1$2$3");
  EXPECT_GT(text.size(), uncommented.size() + 10);
  EXPECT_EQ(Loaded(uncommented), DefaultSettings(TheRegistry()));
}

TEST(Settings, WhatIsInForceReadsAsItself) {
  const Settings settings = Loaded(R"yaml(
lake: {columns: [{name: ts, type: timestamp}, {name: "a b", type: "decimal(3,1)"}]}
exports:
  one:
    format: parquet
    columns: [ts, {source: "a b", name: "true"}]
    csv: {delimiter: "\t", null_marker: "~"}
  two: {limits: {bytes_per_file: 1 GiB}, csv: {byte_order_mark: false, line_end: lf}}
engine: {backoff: {max: 1h30m}}
)yaml");
  EXPECT_EQ(Loaded(EffectiveSettings(settings, TheRegistry())), settings);
  EXPECT_EQ(Loaded(EffectiveSettings(DefaultSettings(TheRegistry()), TheRegistry())),
            DefaultSettings(TheRegistry()));
}

TEST(Settings, WhatVariablesGaveIsShownByTheirNames) {
  const Variables variables{.environment = {{"TOKEN", "hunter2"}, {"DAYS", "7"}}, .of_file = {}};
  constexpr std::string_view kText = R"yaml(
databases: {shop: {url: "postgres://shop"}}
exports:
  messages: {destination: "out/${TOKEN}"}
  own: {recipe: query_export, database: shop, query: "SELECT :a, :b, :c", parameters: {a: "x${TOKEN}", b: "$${b}"}}
schedules:
  one: {export: own, cron: "@daily", columns: ["a=${TOKEN}"], rows_per_file: "${DAYS}", parameters: {c: "${TOKEN}"}}
)yaml";
  const auto settings =
      ParseSettings(std::string(kText), "/dir/spillway.yaml", variables, TheRegistry());
  ASSERT_TRUE(settings.has_value());
  const std::string shown = EffectiveSettings(*settings, TheRegistry());
  EXPECT_THAT(shown, testing::Not(HasSubstr("hunter2")));
  for (const char* line :
       {"destination: \"out/${TOKEN}\"\n", "      a: \"x${TOKEN}\"\n", "      b: \"$${b}\"\n",
        "- \"a=${TOKEN}\"\n", "rows_per_file: \"${DAYS}\"\n", "      c: \"${TOKEN}\"\n"}) {
    EXPECT_THAT(shown, HasSubstr(line));
  }
  const std::string with_url =
      std::regex_replace(shown, std::regex("\"\\(secret\\)\""), "postgres://shop");
  const auto again = ParseSettings(with_url, "/dir/spillway.yaml", variables, TheRegistry());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->exports, settings->exports);
  EXPECT_EQ(again->schedules, settings->schedules);
}

TEST(Settings, ParametersOutOfAVariableOfTheirOwnAreNotShown) {
  const Variables variables{
      .environment = {{"SPILLWAY_EXPORTS_OWN_PARAMETERS", "{a: hunter2, b: 'x${TOKEN}'}"},
                      {"SPILLWAY_SCHEDULES_ONE_PARAMETERS", "{c: hunter3}"},
                      {"SPILLWAY_S3_TAGS", "{team: data}"},
                      {"TOKEN", "hunter4"}},
      .of_file = {}};
  constexpr std::string_view kText = R"yaml(
databases: {shop: {url: "postgres://shop"}}
exports: {own: {recipe: query_export, database: shop, query: "SELECT :a, :b, :c"}}
schedules: {one: {export: own, cron: "@daily"}}
)yaml";
  const auto settings =
      ParseSettings(std::string(kText), "/dir/spillway.yaml", variables, TheRegistry());
  ASSERT_TRUE(settings.has_value());
  const std::string shown = EffectiveSettings(*settings, TheRegistry());
  EXPECT_THAT(shown, testing::Not(HasSubstr("hunter")));
  for (const char* line : {"      a: \"(secret)\"\n", "      b: \"(secret)\"\n",
                           "      c: \"(secret)\"\n", "team: data\n"})
    EXPECT_THAT(shown, HasSubstr(line));
  EXPECT_THAT(settings->FromVariablesIn("exports.own"),
              ElementsAre("parameters.a", "parameters.b"));
  EXPECT_THAT(settings->FromVariablesIn("schedules.one"), ElementsAre("parameters.c"));
}

TEST(Settings, APasswordBesideAVariableIsNotShown) {
  const Variables variables{.environment = {{"HOST", "db.example"}}, .of_file = {}};
  const auto settings = ParseSettings("state: \"postgres://ada:hunter2@${HOST}/jobs\"\n",
                                      "/dir/spillway.yaml", variables, TheRegistry());
  ASSERT_TRUE(settings.has_value());
  const std::string shown = EffectiveSettings(*settings, TheRegistry());
  EXPECT_THAT(shown, testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(shown, HasSubstr("@${HOST}/jobs"));
}

TEST(Settings, FiveMistakesAreFiveLines) {
  EXPECT_THAT(
      ProblemsOf("lake:\n"
                 "  directry: /var/lib/lake\n"
                 "  columns:\n"
                 "    - {name: ts, type: timestmp}\n"
                 "exports:\n"
                 "  messages:\n"
                 "    format: cvs\n"
                 "    time_zone: Europe/Viena\n"
                 "engine:\n"
                 "  threads: many\n"),
      ElementsAre(
          "spillway.yaml:2:3: lake.directry is not a setting; did you mean directory?",
          "spillway.yaml:4:24: lake.columns[0].type has an unknown type \"timestmp\"; did you mean "
          "timestamp? Use string, timestamp, int64, double, bool, date or decimal(precision,scale)",
          "spillway.yaml:7:13: exports.messages.format is \"cvs\"; did you mean csv? Use csv, "
          "json, "
          "ndjson or parquet",
          "spillway.yaml:8:16: exports.messages.time_zone names an unknown time zone "
          "\"Europe/Viena\"; "
          "did you mean Europe/Vienna?",
          "spillway.yaml:10:12: engine.threads is \"many\"; use a whole number from 0 to 1024"));
}

TEST(Settings, QueryExportsNameWhatTheyRead) {
  const std::string databases = "databases: {shop: {url: 'postgres://shop'}}\n";
  EXPECT_THAT(
      ProblemsOf(databases + "exports: {x: {recipe: query_export, database: shop, table: t}}"),
      ElementsAre());
  EXPECT_THAT(ProblemsOf(databases + "exports: {x: {recipe: query_export, database: shop, query: q,"
                                     " columns: [any]}}"),
              ElementsAre());
  EXPECT_THAT(
      ProblemsOf(databases + "exports: {x: {recipe: query_export, database: shp, table: t}}"),
      ElementsAre(HasSubstr("is \"shp\", which is none of databases; did you mean shop?")));
  EXPECT_THAT(ProblemsOf("exports: {x: {recipe: query_export, table: t, query: q}}"),
              ElementsAre(HasSubstr("name one of databases"), HasSubstr("give one of them")));
  EXPECT_THAT(ProblemsOf(databases + "exports: {x: {recipe: query_export, database: shop}}"),
              ElementsAre(HasSubstr("reads a table or a query; give one")));
  EXPECT_THAT(ProblemsOf("exports: {x: {table: t}}"),
              ElementsAre(HasSubstr("exports.x.table belongs to recipe query_export")));
  EXPECT_THAT(ProblemsOf("databases: {shop: {}}"), ElementsAre(HasSubstr("url is missing")));
}

TEST(Settings, ValuesMustFitTogether) {
  EXPECT_THAT(
      ProblemsOf("engine:\n  lease: 2s\n  heartbeat: 1s\n"),
      ElementsAre("spillway.yaml:3:14: engine.heartbeat is 1s, too seldom for a lease of 2s; use a "
                  "third of it at most"));
  EXPECT_THAT(
      ProblemsOf("engine: {backoff: {max: 10ms}}"),
      ElementsAre(
          "spillway.yaml:1:25: engine.backoff.base is longer than the maximum of 10ms; use at "
          "most that"));
  EXPECT_THAT(ProblemsOf("lake: {time: at}"),
              ElementsAre(HasSubstr("1:14: lake.time is \"at\", which is no column")));
  EXPECT_THAT(
      ProblemsOf("lake: {time: body}"),
      ElementsAre(HasSubstr("is \"body\", a column of type string; name one of type timestamp")));
  EXPECT_THAT(
      ProblemsOf("lake:\n  columns:\n  - {name: ts, type: timestamp}\n  - {name: ts, type: bool}\n"
                 "  - {name: organisation, type: bool}\n"),
      ElementsAre(HasSubstr("4:12: lake.columns[1].name is \"ts\" once more"),
                  HasSubstr("5:12: lake.columns[2].name is the organisation")));
  EXPECT_THAT(
      ProblemsOf("exports: {x: {columns: [bdy, ts, {source: body, name: ts}]}}"),
      ElementsAre("spillway.yaml:1:25: exports.x.columns[0] is \"bdy\", which is no column "
                  "of the lake; did "
                  "you mean body?",
                  HasSubstr("1:34: exports.x.columns[2] has the name \"ts\" a second time")));
  EXPECT_THAT(
      ProblemsOf("exports: {x: {compression: gzip, compression_level: 12}}"),
      ElementsAre(HasSubstr("1:53: exports.x.compression_level is 12, which only zstd has")));
  EXPECT_THAT(ProblemsOf("exports: {x: {compression: zstd, compression_level: 12}}"),
              ElementsAre());
  EXPECT_THAT(ProblemsOf("exports: {x: {csv: {delimiter: '\"'}}}"),
              ElementsAre(HasSubstr("cannot be told from")));
  EXPECT_THAT(ProblemsOf("exports: {x: {csv: {null_marker: 'a,b'}}}"),
              ElementsAre(HasSubstr("is never quoted")));
}

TEST(Settings, WhatEveryRunWouldRefuseIsRefused) {
  for (const char* delimiter : {"a", "0", "-", "="}) {
    EXPECT_THAT(ProblemsOf(fmt::format("exports: {{x: {{csv: {{delimiter: '{}'}}}}}}", delimiter)),
                ElementsAre(HasSubstr("csv.delimiter cannot be told from")));
  }
  for (const auto& [marker, said] :
       {std::pair("0", "reads like a number"), std::pair("-1", "reads like a number"),
        std::pair("a text that is longer than 32 bytes", "longer than 32 bytes")}) {
    EXPECT_THAT(ProblemsOf(fmt::format("exports: {{x: {{csv: {{null_marker: '{}'}}}}}}", marker)),
                ElementsAre(HasSubstr(said)));
  }
  EXPECT_THAT(ProblemsOf("lake: {line_bytes_max: 512 MiB}"), ElementsAre(HasSubstr("256 MiB")));
}

TEST(Settings, N4WhatWouldDoNothingIsRefused) {
  const auto problems = [](std::string_view of_export) {
    return ProblemsOf(fmt::format("exports: {{x: {{{}}}}}", of_export));
  };
  EXPECT_THAT(problems("compression_level: 3"),
              ElementsAre(HasSubstr("compression_level is 3, and nothing is compressed")));
  EXPECT_THAT(problems("format: json, compression: none, compression_level: 9"),
              ElementsAre(HasSubstr("nothing is compressed")));
  EXPECT_THAT(problems("format: parquet, compression_level: 19"), ElementsAre());
  EXPECT_THAT(problems("format: parquet, compression: zip, compression_level: 12"),
              ElementsAre(HasSubstr("use 1 to 9")));
  EXPECT_THAT(problems("compression: zip, compression_level: 9"), ElementsAre());
  // Runs may ask for CSV.
  EXPECT_THAT(problems("format: json, csv: {null_marker: '-'}"), ElementsAre());
  EXPECT_THAT(problems("split_by: id"), ElementsAre(HasSubstr("belongs to recipe query_export")));
  EXPECT_THAT(problems("limits: {on_limit: fail}"),
              ElementsAre(HasSubstr("has an on_limit but no limit to act at")));
  EXPECT_THAT(problems("limits: {on_limit: truncate, columns_max: 5}"),
              ElementsAre(HasSubstr("has an on_limit but no limit to act at")));
  EXPECT_THAT(problems("limits: {on_limit: fail, bytes_per_file: 1 MiB}"), ElementsAre());
}

TEST(Settings, ALifetimeIsADurationOrForever) {
  const Settings settings =
      Loaded("exports: {a: {retention: 30d, redrive_within: forever}, b: {}}\n");
  EXPECT_EQ(settings.exports.at("a").retention.limit, std::chrono::hours(30 * 24));
  EXPECT_EQ(settings.exports.at("a").redrive_within.limit, std::nullopt);
  EXPECT_EQ(settings.exports.at("b").retention.limit, std::nullopt);
  EXPECT_EQ(settings.exports.at("b").redrive_within.limit, std::chrono::hours(7 * 24));
  EXPECT_EQ(Loaded(EffectiveSettings(settings, TheRegistry())), settings);
  EXPECT_THAT(ProblemsOf("exports: {a: {retention: 30 days}}\n"),
              ElementsAre(HasSubstr("use forever, or a duration of at least 1s")));
  EXPECT_THAT(ProblemsOf("exports: {a: {retention: 5ms}}\n"), testing::SizeIs(1));
}

TEST(Settings, PathsAreRelativeToTheFile) {
  const auto settings = ParseSettings(
      "state: data/state.db\nlake: {directory: /lake}\nexports: {x: {destination: ../out}}",
      "/etc/spillway/spillway.yaml", {{{"SPILLWAY_SIGNING_KEY", "keys/a.pem"}}, {}}, TheRegistry());
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->state.file(), "/etc/spillway/data/state.db");
  EXPECT_EQ(settings->lake.directory, "/lake");
  EXPECT_EQ(settings->exports.at("x").destination, "/etc/out");
  EXPECT_EQ(settings->signing_key, "/etc/spillway/keys/a.pem");
  EXPECT_EQ(ParseSettings("", "/etc/spillway.yaml", {}, TheRegistry())
                ->exports.at("messages")
                .destination,
            "/etc/exports");
}

TEST(Settings, O20PythonsNamesOfLogLevels) {
  const std::vector<std::pair<std::string, LogLevel>> names = {
      {"DEBUG", LogLevel::kDebug},     {"INFO", LogLevel::kInfo},      {"WARN", LogLevel::kWarning},
      {"WARNING", LogLevel::kWarning}, {"warn", LogLevel::kWarning},   {"ERROR", LogLevel::kError},
      {"CRITICAL", LogLevel::kError},  {"critical", LogLevel::kError}, {"FATAL", LogLevel::kError},
      {"NOTSET", LogLevel::kDebug}};
  for (const auto& [name, level] : names) {
    EXPECT_EQ(Loaded("", {{"LOG_LEVEL", name}}).log.level, level) << name;
    EXPECT_EQ(Loaded("", {{"SPILLWAY_LOG_LEVEL", name}}).log.level, level) << name;
  }
  EXPECT_THAT(ProblemsOf("", {{"LOG_LEVEL", "LOUD"}}),
              ElementsAre("LOG_LEVEL: log.level is \"LOUD\"; use debug, info, warning or error"));
  EXPECT_EQ(Loaded("").log.level, std::nullopt);
}

TEST(Settings, O20FormatsAreNamedOnce) {
  EXPECT_THAT(
      ProblemsOf("", {{"WRITE_FILE_FORMAT", "csv, csv.gz,csv"}}),
      ElementsAre("WRITE_FILE_FORMAT: open_data.format has csv twice; name each format once"));
  EXPECT_EQ(Loaded("", {{"WRITE_FILE_FORMAT", "csv, csv.gz"}})
                .standing.at("open_data")
                .As<OpenDataSettings>()
                .format,
            "csv, csv.gz");
}

TEST(Settings, O17ABucketThatIsMissingOrNoneNamesItsVariable) {
  EXPECT_THAT(ProblemsOf("", {{"WRITE_FILE_LOCATION", "s3"}}),
              ElementsAre("WRITE_FILE_LOCATION: open_data.bucket is missing, but location is s3; "
                          "name the bucket here, or in the variable OPEN_DATA_BUCKET"));
  EXPECT_THAT(ProblemsOf("", {{"WRITE_FILE_LOCATION", "s3"}, {"OPEN_DATA_BUCKET", "My Bucket"}}),
              ElementsAre(HasSubstr("OPEN_DATA_BUCKET: open_data.bucket ")));
  for (const char* bucket : {"openaq/v2", "s3://openaq/v2"}) {
    const Settings settings =
        Loaded("", {{"WRITE_FILE_LOCATION", "s3"}, {"OPEN_DATA_BUCKET", bucket}});
    EXPECT_EQ(settings.standing.at("open_data").As<OpenDataSettings>().destination(),
              "s3://openaq/v2");
  }
}

TEST(Settings, O17AScheduleOfOpenDataWithoutADatabaseSaysWhatToSet) {
  EXPECT_THAT(ProblemsOf("schedules: {hourly: {export: open-data, cron: '0 * * * *'}}"),
              ElementsAre(HasSubstr("schedules.hourly.export does not run: "
                                    "open_data.database.host is not set, so there is no open data; "
                                    "set it, or the variable DATABASE_HOST")));
}

TEST(Settings, O20AFileOfVariablesCountsAfterTheEnvironment) {
  config::Problems problems;
  const Variables variables{
      .environment = config::Environment({{"DATABASE_HOST", "of the environment"}}),
      .of_file = config::ParseEnvFile("DATABASE_HOST=of.the.file\n"
                                      "DATABASE_PORT=6543\n"
                                      "SPILLWAY_OPEN_DATA_DATABASE_HOST=of.the.file\n"
                                      "SECRET=hunter2\n"
                                      "HOME=${ELSEWHERE}\n",
                                      ".env", problems)};
  const auto settings =
      ParseSettings("open_data: {database: {port: 1, read: {password: '${SECRET}'}}}",
                    "spillway.yaml", variables, TheRegistry());
  ASSERT_THAT(Lines(settings), ElementsAre());
  const auto& open_data = settings->standing.at("open_data").As<OpenDataSettings>();
  EXPECT_EQ(open_data.database.host, "of the environment");
  EXPECT_EQ(open_data.database.port, 6543);
  EXPECT_EQ(open_data.database.read.password, "hunter2");
}

TEST(Settings, O20ProblemsOfAFileOfVariablesNameTheirLine) {
  config::Problems problems;
  const Variables variables{
      .environment = {},
      .of_file = config::ParseEnvFile("\nDATABASE_PORT=none\nSPILLWAY_ENGINE_THREAD=5\n"
                                      "DATABASE_READ_PASSWORD=${X}\n",
                                      ".env", problems)};
  EXPECT_THAT(
      Lines(ParseSettings("", "spillway.yaml", variables, TheRegistry())),
      ElementsAre(".env:2:1: open_data.database.port is \"none\"; use a whole number from 1 "
                  "to 65535",
                  ".env:3:1: SPILLWAY_ENGINE_THREAD is not a setting; did you mean "
                  "SPILLWAY_ENGINE_THREADS?",
                  HasSubstr(".env:4:1: DATABASE_READ_PASSWORD has a ${")));
}

TEST(Settings, EnvironmentBeforeFile) {
  const config::Environment environment = {
      {"SPILLWAY_ENGINE_THREADS", "5"},
      {"LOG_LEVEL", "WARNING"},
      {"SPILLWAY_EXPORTS_MESSAGES_COLUMNS", "[ts, {source: body, name: text}]"}};
  const auto settings = ParseSettings("engine: {threads: 4, attempts: 7}", "spillway.yaml",
                                      {environment, {}}, TheRegistry());
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->engine.threads, 5);
  EXPECT_EQ(settings->engine.attempts, 7);
  EXPECT_EQ(settings->log.level, LogLevel::kWarning);
  EXPECT_THAT(settings->exports.at("messages").own.As<recipe::OutputSettings>().columns,
              ElementsAre(recipe::ExportColumnSettings{"ts", {}},
                          recipe::ExportColumnSettings{"body", "text"}));
  EXPECT_THAT(
      ProblemsOf("", {{"SPILLWAY_ENGINE_THREAD", "5"}}),
      ElementsAre(
          "SPILLWAY_ENGINE_THREAD: is not a setting; did you mean SPILLWAY_ENGINE_THREADS?"));
}

TEST(Settings, FilesThatCannotBeReadSayWhy) {
  EXPECT_THAT(Lines(LoadSettings("/nowhere/spillway.yaml", {}, TheRegistry())),
              ElementsAre("/nowhere/spillway.yaml: there is no such file"));
  EXPECT_THAT(Lines(LoadSettings("/", {}, TheRegistry())),
              ElementsAre(HasSubstr("/: is a directory")));
}

TEST(Settings, TheProfileDecidesWhatIsNotSet) {
  const Settings settings = Loaded(R"(
exports:
  plain: {}
  excel: {csv: {profile: excel}, time_zone: Asia/Tokyo, columns: [ts, {source: body, name: text}]}
  bare: {csv: {profile: excel, byte_order_mark: false}}
)");
  const auto plain = OptionsOf(settings.exports.at("plain").own.As<recipe::OutputSettings>(), "");
  EXPECT_FALSE(plain.csv.byte_order_mark);
  EXPECT_FALSE(plain.csv.escape_formulas);
  EXPECT_TRUE(plain.columns.empty());
  const auto excel = OptionsOf(settings.exports.at("excel").own.As<recipe::OutputSettings>(), "");
  EXPECT_TRUE(excel.csv.byte_order_mark);
  EXPECT_TRUE(excel.csv.escape_formulas);
  EXPECT_EQ(excel.csv.time_zone, "Asia/Tokyo");
  ASSERT_EQ(excel.columns.size(), 2U);
  EXPECT_EQ(excel.columns[0].name, "ts");
  EXPECT_EQ(excel.columns[1].name, "text");
  EXPECT_FALSE(OptionsOf(settings.exports.at("bare").own.As<recipe::OutputSettings>(), "")
                   .csv.byte_order_mark);
}

TEST(Settings, TypesOfColumnsAreTypes) {
  for (const lake::ColumnSettings& column : DefaultSettings(TheRegistry()).lake.columns) {
    EXPECT_TRUE(batch::ParseColumnType(column.type).has_value()) << column.type;
  }
}

/// Calls `visit` with every field and its path.
void Visit(const Outline& outline, const std::string& path,
           const std::function<void(const config::OutlineField&, const std::string&)>& visit) {
  for (const config::OutlineField& field : outline.fields) {
    const std::string field_path = config::FieldPath(path, field.name);
    visit(field, field_path);
    Visit(field.outline, field_path, visit);
    for (const Outline& element : field.outline.element) Visit(element, field_path + "[]", visit);
  }
}

TEST(Settings, EveryFieldHasHelpAndAVariableOfItsOwn) {
  std::set<std::string> variables;
  size_t fields = 0;
  Visit(DeclareSettings(TheRegistry()).Describe(DefaultSettings(TheRegistry())), "",
        [&](const config::OutlineField& field, const std::string& path) {
          ++fields;
          EXPECT_TRUE(field.help.ends_with(".")) << path;
          EXPECT_TRUE(variables.insert(config::VariableName(path)).second) << path;
        });
  EXPECT_GT(fields, 40U);
}

TEST(Settings, TheSchemaSaysWhatTheFieldsSay) {
  const auto schema = nlohmann::json::parse(SettingsSchema(TheRegistry()));
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema["additionalProperties"], false);
  const auto& engine = schema["properties"]["engine"]["properties"];
  EXPECT_EQ(engine["threads"]["type"], "integer");
  EXPECT_EQ(engine["threads"]["minimum"], 0);
  EXPECT_EQ(engine["threads"]["maximum"], 1024);
  EXPECT_EQ(engine["threads"]["default"], 0);
  EXPECT_EQ(engine["lease"]["default"], "30s");
  EXPECT_TRUE(std::regex_match("1h30m", std::regex(engine["lease"]["pattern"].get<std::string>())));
  EXPECT_FALSE(std::regex_match("30", std::regex(engine["lease"]["pattern"].get<std::string>())));
  const auto& exported = schema["properties"]["exports"]["additionalProperties"]["properties"];
  EXPECT_EQ(exported["format"]["enum"], nlohmann::json({"csv", "json", "ndjson", "parquet"}));
  EXPECT_EQ(exported["columns"]["items"]["anyOf"][0]["type"],
            nlohmann::json::parse(R"(["string", "number", "boolean"])"));
  const auto& bytes = exported["limits"]["properties"]["bytes_per_file"];
  const std::regex size(bytes["pattern"].get<std::string>());
  for (const char* text : {"1", "1 B", "1.5 KiB", "1.5", "1.5 B", "1,5 KiB"})
    EXPECT_EQ(std::regex_match(text, size), config::ParseByteSize(text).has_value()) << text;
  EXPECT_EQ(bytes["type"], nlohmann::json({"integer", "string"}));
  EXPECT_EQ(exported["csv"]["properties"]["line_end"]["enum"], nlohmann::json({"crlf", "lf"}));
  EXPECT_EQ(exported["csv"]["properties"]["line_end"]["default"], "crlf");
  EXPECT_TRUE(exported["csv"]["properties"]["byte_order_mark"]["default"].is_null());
  const auto& column = schema["properties"]["lake"]["properties"]["columns"]["items"];
  EXPECT_EQ(column["required"], nlohmann::json({"name", "type"}));
  EXPECT_EQ(schema["properties"]["lake"]["properties"]["columns"]["default"][1]["name"], "ts");
}

TEST(Settings, ThePageInDocsIsUpToDate) {
  if (std::getenv("WRITE_DOCUMENTATION") != nullptr) {
    std::ofstream(CONFIGURATION_PAGE) << SettingsDocumentation(TheRegistry());
  }
  std::ifstream page(CONFIGURATION_PAGE);
  const std::string text{std::istreambuf_iterator<char>(page), {}};
  EXPECT_EQ(text, SettingsDocumentation(TheRegistry()))
      << "docs/configuration.md is not what src/settings/settings.cc says; write it again with "
         "WRITE_DOCUMENTATION=1 settings_test";
}

}  // namespace
}  // namespace spillway
