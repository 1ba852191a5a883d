#include "settings/setting_checks.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/scratch_directory.h"
#include "recipe/registry.h"
#include "settings/settings_file.h"

namespace spillway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const recipe::Registry& TheRegistry() {
  static const recipe::Registry kRegistry = recipe::RecipesInProgram();
  return kRegistry;
}

std::vector<std::string> ProblemsOf(const std::string& text,
                                    const config::Environment& environment = {}) {
  const auto loaded = ParseSettings(text, "spillway.yaml", {environment, {}}, TheRegistry());
  std::vector<std::string> lines;
  if (loaded.has_value()) return lines;
  for (const config::Problem& problem : loaded.error()) lines.push_back(config::ToString(problem));
  return lines;
}

TEST(SettingChecks, M1AMistypedStateIsRefusedWithoutItsPassword) {
  for (const std::string state :
       {"postgress://u:hush@h/d", "mysql://u:hush@h/d", "postgres:/u:hush@h/d", "u:hush@h/d",
        "//u:hush@h/d", "Postgres://u:hush@h/d", "postgres:u:hush@h/d", "u:hush/x@h/d",
        "host=h password=hush", "dbname=hush", "password = hush", "postgresql//ada:hush@host/db"}) {
    const std::vector<std::string> expected = {
        "spillway.yaml:1:8: state is neither a file nor postgres://user@host/database"};
    EXPECT_EQ(ProblemsOf("state: '" + state + "'"), expected) << state;
    EXPECT_THAT(ProblemsOf("", {{"SPILLWAY_STATE", state}}),
                ElementsAre("SPILLWAY_STATE: state is neither a file nor "
                            "postgres://user@host/database"));
    EXPECT_THAT(ProblemsOf("state: '${ADDRESS}'", {{"ADDRESS", state}}),
                ElementsAre("spillway.yaml:1:8: state is not usable; use a file, or "
                            "postgres://user@host/database"));
  }
  for (const std::string state : {"postgres://u:hu/sh@h/d", "postgres://h/d?pasword=hush"}) {
    EXPECT_THAT(ProblemsOf("state: '" + state + "'"),
                ElementsAre("spillway.yaml:1:8: state does not read as "
                            "postgres://user@host:port/database; percent-encode special "
                            "characters"))
        << state;
  }
  for (const std::string state :
       {"state.db", "/srv/a:b/state.db", "/srv/12:30@home/state.db", "a b.db", "./x@y",
        "postgres://u:p%2Fw@h:5432,i/d?sslmode=require", "postgresql:///d?host=/run"})
    EXPECT_THAT(ProblemsOf("state: '" + state + "'"), ElementsAre()) << state;
}

TEST(SettingChecks, PlacesAndUrlsHaveNoControlCharacters) {
  const std::string control = " has a control character, such as the end of a line; remove it";
  EXPECT_THAT(ProblemsOf("lake: {directory: \"nul\\0b\"}"),
              ElementsAre("spillway.yaml:1:19: lake.directory" + control));
  EXPECT_THAT(ProblemsOf("s3:\n  ca_file: \"two\\nlines\"\n  endpoint: \"https://h\\0\"\n"
                         "  region: \"a\\tb\"\n"),
              ElementsAre("spillway.yaml:2:12: s3.ca_file" + control,
                          "spillway.yaml:3:13: s3.endpoint" + control,
                          "spillway.yaml:4:11: s3.region" + control));
  for (const std::string setting :
       {"state: \"{}\"", "signing_key: \"{}\"", "exports: {{x: {{destination: \"{}\"}}}}",
        "exports: {{x: {{destination: \"s3://bucket/{}\"}}}}", "open_data: {{directory: \"{}\"}}",
        "open_data: {{bucket: \"{}\"}}", "open_data: {{manifests: \"{}\"}}",
        "open_data: {{database: {{host: \"{}\"}}}}", "databases: {{x: {{url: \"{}\"}}}}"}) {
    for (const char* text : {"nul\\0b", "two\\nlines", "\\x7f"}) {
      EXPECT_THAT(ProblemsOf(fmt::format(fmt::runtime(setting), text)),
                  ElementsAre(HasSubstr(control)))
          << setting << text;
    }
  }
}

TEST(SettingChecks, NamesInFilesHaveNoControlCharacters) {
  const std::string control = " has a control character, such as the end of a line; remove it";
  EXPECT_THAT(
      ProblemsOf("lake:\n  organisation: \"a\\nb\"\n"
                 "  columns: [{name: ts, type: timestamp}, {name: \"a\\tb\", type: string}]\n"),
      ElementsAre("spillway.yaml:2:17: lake.organisation" + control,
                  "spillway.yaml:3:49: lake.columns[1].name" + control));
  EXPECT_THAT(ProblemsOf("exports: {x: {columns: [{source: body, name: \"a\\nb\"}]}}"),
              ElementsAre("spillway.yaml:1:46: exports.x.columns[0].name" + control));
}

TEST(SettingChecks, ExportsAndTheLakeStayApart) {
  const ScratchDirectory scratch;
  std::filesystem::create_directory(scratch / "lake");
  std::filesystem::create_directory_symlink(scratch / "lake", scratch / "link");
  const std::string lake = "lake: {directory: " + (scratch / "lake").string() + "}\n";
  const auto problems = [&](const std::string& below) {
    return ProblemsOf(lake + "exports: {x: {destination: " + scratch.path() + below + "}}\n");
  };
  const std::string at = "spillway.yaml:2:28: exports.x.destination is " + scratch.path();
  for (const char* inside : {"/lake", "/lake/out", "/link/out"}) {
    EXPECT_THAT(problems(inside),
                ElementsAre(at + inside + ", in the directory of the lake, " + scratch.path() +
                            "/lake; use one outside, so that exports and messages stay apart"));
  }
  EXPECT_THAT(problems(""), ElementsAre(HasSubstr(at + ", which has the lake, ")));
  EXPECT_THAT(problems("/exports/.spillway/jobs"), ElementsAre(HasSubstr("in a folder .spillway")));
  EXPECT_THAT(problems("/lake-exports"), ElementsAre());
  EXPECT_THAT(ProblemsOf("lake: {directory: s3://bucket/lake}\n"
                         "exports: {x: {destination: s3://bucket/lake/out}}\n"),
              ElementsAre(HasSubstr("exports.x.destination is s3://bucket/lake/out, in the")));
  EXPECT_THAT(ProblemsOf("lake: {directory: s3://bucket/lake}\n"
                         "exports: {x: {destination: s3://bucket/exports}}\n"),
              ElementsAre());
  EXPECT_THAT(ProblemsOf(lake + "open_data: {database: {host: h, name: n}, directory: " +
                         scratch.path() + "/lake}\n"),
              ElementsAre(HasSubstr("open_data is " + scratch.path() + "/lake, in the")));
}

TEST(SettingChecks, AnAddressThatDoesNotReadIsToldWithoutIt) {
  for (const char* url : {"postgres//shop", "postgres://ada:hunter2%@shop", "mysql://hunter2@shop",
                          "postgres://ada:hun@ter2@shop/x"}) {
    const std::vector<std::string> problems =
        ProblemsOf(std::string("databases:\n  shop: {url: '") + url + "'}\n");
    EXPECT_THAT(problems, ElementsAre("spillway.yaml:2:15: databases.shop.url does not read as "
                                      "postgres://user@host:port/database; percent-encode special "
                                      "characters"))
        << url;
  }
  for (const char* url : {"postgresql://ada@[::1]:5433/shop?sslmode=require", "host=/run dbname=x"})
    EXPECT_THAT(ProblemsOf(std::string("databases: {shop: {url: '") + url + "'}}"), ElementsAre());
}

}  // namespace
}  // namespace spillway
