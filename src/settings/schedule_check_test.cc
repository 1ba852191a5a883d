#include "settings/schedule_check.h"

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/registry.h"
#include "settings/settings_file.h"

namespace spillway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> ProblemsOf(const std::string& text,
                                    const config::Environment& environment = {}) {
  const recipe::Registry registry = recipe::RecipesInProgram();
  const auto loaded = ParseSettings(text, "spillway.yaml", {environment, {}}, registry);
  std::vector<std::string> lines;
  if (loaded.has_value()) return lines;
  for (const config::Problem& problem : loaded.error()) lines.push_back(config::ToString(problem));
  return lines;
}

TEST(ScheduleCheck, SchedulesMustFitTheirExports) {
  EXPECT_THAT(
      ProblemsOf("schedules:\n"
                 "  typo: {export: mesages, cron: '@daily'}\n"
                 "  late: {export: messages, cron: '0 25 * * *'}\n"
                 "  whose: {export: messages, cron: '@daily', from: yesterday, to: today}\n"
                 "  when: {export: messages, cron: '@daily', organisation: a}\n"
                 "  open: {export: messages, cron: '@daily', organisation: a, from: yesterday}\n"
                 "  odd:\n"
                 "    export: messages\n"
                 "    cron: '@daily'\n"
                 "    organisation: a\n"
                 "    from: yesterdy\n"
                 "    to: today\n"
                 "    catch_up: some\n"),
      ElementsAre(HasSubstr("spillway.yaml:3:34: schedules.late.cron does not read, at column 3: "
                            "\"25\" is no hour; use 0 to 23"),
                  HasSubstr("spillway.yaml:13:15: schedules.odd.catch_up")));
  EXPECT_THAT(
      ProblemsOf("schedules:\n"
                 "  typo: {export: mesages, cron: '@daily'}\n"
                 "  whose: {export: messages, cron: '@daily', from: yesterday, to: today}\n"
                 "  when: {export: messages, cron: '@daily', organisation: a}\n"
                 "  open: {export: messages, cron: '@daily', organisation: a, from: yesterday}\n"
                 "  odd:\n"
                 "    export: messages\n"
                 "    cron: '@daily'\n"
                 "    organisation: a\n"
                 "    from: yesterdy\n"
                 "    to: today\n"),
      testing::UnorderedElementsAre(
          HasSubstr("spillway.yaml:2:18: schedules.typo.export does not run: no export named "
                    "\"mesages\" is configured; did you mean \"messages\"?"),
          HasSubstr("schedules.whose.organisation is missing; say whose data it is"),
          HasSubstr("schedules.when.from is missing; give the first day, such as yesterday"),
          HasSubstr("schedules.open.to is missing; give to (exclusive), or through"),
          HasSubstr("spillway.yaml:10:11: schedules.odd.from \"yesterdy\" is no time; use a day")));
}

TEST(ScheduleCheck, SchedulesHaveTheParametersOfTheirExport) {
  constexpr std::string_view kExports =
      "databases: {shop: {url: 'postgres://shop'}}\n"
      "open_data: {database: {host: db}}\n"
      "exports:\n"
      "  messages: {}\n"
      "  orders: {recipe: query_export, database: shop, table: orders}\n"
      "  recent: {recipe: query_export, database: shop,\n"
      "           query: 'SELECT :Customer, :since, :tick'}\n"
      "schedules:\n";
  const auto problems = [&](std::string_view schedules) {
    return ProblemsOf(std::string(kExports) + std::string(schedules));
  };
  EXPECT_THAT(problems("  all: {export: recent, cron: '@daily', organisation: acme,\n"
                       "        parameters: {Customer: 4711, since: '2025-01-01'}}\n"
                       "  tick: {export: recent, cron: '@daily',\n"
                       "         parameters: {Customer: 1, since: x, tick: now}}\n"
                       "  table: {export: orders, cron: '@daily'}\n"
                       "  open: {export: open-data, cron: '@daily', limit: 0, time_limit: 14m}\n"),
              testing::IsEmpty());
  EXPECT_THAT(
      problems("  misspelt:\n"
               "    export: recent\n"
               "    cron: '@daily'\n"
               "    parameters: {Custmer: 4711, since: x}\n"
               "  table: {export: orders, cron: '@daily', parameters: {id: 1}}\n"
               "  open: {export: open-data, cron: '@daily', organisation: a, parameters: {id: 1}}\n"
               "  query: {export: orders, cron: '@daily', from: today, limit: 3}\n"
               "  none: {export: messages, cron: '@daily', organisation: a, from: today, to: now,\n"
               "         time_limit: 14m}\n"),
      testing::UnorderedElementsAre(
          HasSubstr("spillway.yaml:12:18: schedules.misspelt.parameters.Custmer is no parameter of "
                    "this export; did you mean Customer?"),
          HasSubstr("schedules.misspelt.parameters has no value for Customer; give it one"),
          HasSubstr("schedules.table.parameters.id is no parameter of this export; it has none, so "
                    "leave it out"),
          HasSubstr("schedules.open.organisation is not for open data; leave it out"),
          HasSubstr("schedules.open.parameters is not for open data"),
          HasSubstr("schedules.query.from is not for exports of queries"),
          HasSubstr("schedules.query.limit is not for exports of queries"),
          HasSubstr("schedules.none.time_limit is not for exports of messages")));
  EXPECT_THAT(
      problems("  low: {export: open-data, cron: '@daily', limit: -1, time_limit: 8d}\n"),
      ElementsAre(HasSubstr("schedules.low.limit is \"-1\"; use a whole number of at least 0"),
                  HasSubstr("schedules.low.time_limit is \"8d\"; use a duration from 0s")));
  EXPECT_THAT(ProblemsOf("databases: {shop: {url: 'postgres://shop'}}\n"
                         "exports: {half: {recipe: query_export, database: shop, query: \"'\"}}\n"
                         "schedules: {of: {export: half, cron: '@daily'}}\n"),
              ElementsAre(HasSubstr("exports.half.query does not read: the query has a text "
                                    "without an end")));
}

TEST(ScheduleCheck, WhatARunWouldRefuseIsToldBefore) {
  constexpr std::string_view kExports =
      "databases: {shop: {url: 'postgres://shop'}}\n"
      "exports:\n"
      "  messages: {}\n"
      "  own: {recipe: query_export, database: shop, query: 'SELECT :organisation, :a'}\n"
      "schedules:\n"
      "  one: {cron: '@daily', ";
  const auto problems = [&](std::string_view schedule) {
    return ProblemsOf(std::string(kExports) + std::string(schedule) + "}\n");
  };
  const std::string messages =
      "export: messages, organisation: a, from: yesterday, through: yesterday, ";
  EXPECT_THAT(
      problems(messages + "format: parquet, compression: gzip"),
      ElementsAre(HasSubstr("schedules.one.compression is gzip, and parquet compresses inside")));
  EXPECT_THAT(
      problems(messages + "compression_level: 77"),
      ElementsAre(HasSubstr("compression_level is \"77\"; use a whole number from 1 to 19")));
  EXPECT_THAT(problems(messages + "on_limit: fail"),
              ElementsAre(HasSubstr("schedules.one.on_limit has no limit to act at")));
  EXPECT_THAT(
      problems(messages + "columns: [bdy, ts]"),
      ElementsAre(HasSubstr("spillway.yaml:6:106: schedules.one.columns is \"bdy\", which is "
                            "no column of the lake; did you mean body?")));
  EXPECT_THAT(problems(messages + "columns: [body, ts=at]"), testing::IsEmpty());
  EXPECT_THAT(ProblemsOf("exports: {messages: {columns: [bdy]}}\n"
                         "schedules: {one: {cron: '@daily', " +
                         messages + "}}\n"),
              ElementsAre(HasSubstr("exports.messages.columns[0] is \"bdy\"")));
  EXPECT_THAT(problems(messages + "output: \"out\\0\""),
              ElementsAre(HasSubstr("schedules.one.output has a control character")));
  EXPECT_THAT(problems(messages + "output: lake/out"),
              ElementsAre(HasSubstr("schedules.one.output is lake/out, in the directory of the "
                                    "lake, lake; use one outside")));
  EXPECT_THAT(problems(messages + "parameters: {}"), testing::IsEmpty());
  EXPECT_THAT(problems("export: own, parameters: {a: 1}"),
              ElementsAre(HasSubstr("schedules.one.organisation is missing")));
  EXPECT_THAT(problems("export: own, organisation: \"a\\nb\", parameters: {a: 1}"),
              ElementsAre(HasSubstr("organisation has a control character")));
}

TEST(ScheduleCheck, WhatAVariableGaveIsNotShown) {
  constexpr std::string_view kSecret =
      "hunter2, and more of it than is ever shown in a line of quotes";
  const auto problems = [&](std::string_view schedule) {
    return ProblemsOf(
        "databases: {shop: {url: 'postgres://shop'}}\n"
        "exports: {messages: {}, recent: {recipe: query_export, database: shop, "
        "query: 'SELECT :a'}}\n"
        "schedules: {one: {cron: '@daily', " +
            std::string(schedule) + "}}\n",
        {{"A", std::string(kSecret)}, {"B", "\x1b" + std::string(kSecret)}});
  };
  const std::string messages = "export: messages, organisation: a, from: yesterday, ";
  for (const std::string& schedule :
       {messages + "to: '${A}'", messages + "to: '${B}'", messages + "to: now, format: '${A}'",
        messages + "to: now, rows_per_file: '${A}'", messages + "to: now, on_limit: 'x${A}'",
        std::string("export: recent, parameters: {a: x}, columns: ['${A}', '${A}']"),
        std::string("export: recent, parameters: {a: x}, organisation: '${B}'"),
        std::string("export: '${A}'")}) {
    const std::vector<std::string> found = problems(schedule);
    ASSERT_FALSE(found.empty()) << schedule;
    for (const std::string& line : found) {
      EXPECT_THAT(line, testing::AllOf(HasSubstr("what came out of a variable is not shown"),
                                       testing::Not(HasSubstr("hunter2"))))
          << schedule;
    }
  }
  EXPECT_THAT(problems("export: recent, parameters: {a: '${A}', b: 1}"),
              ElementsAre(HasSubstr("schedules.one.parameters.b is no parameter of this export")));
}

TEST(ScheduleCheck, ASchedulesOutputIsAPlace) {
  const std::string one =
      "schedules: {one: {export: messages, cron: '@daily', organisation: a, from: yesterday, "
      "to: today, output: ";
  EXPECT_THAT(ProblemsOf(one + "'-'}}\n"),
              ElementsAre(HasSubstr("schedules.one.output is -, standard output, which a schedule "
                                    "does not have; use a directory, or s3://bucket/prefix")));
  EXPECT_THAT(ProblemsOf(one + "'out/-'}}\n"), testing::IsEmpty());
}

TEST(ScheduleCheck, ANullMarkerOfNullIsQuoted) {
  const std::string one =
      "schedules: {one: {export: messages, cron: '@daily', organisation: a, from: yesterday, "
      "to: today, null_marker: ";
  for (const char* text : {"NULL", "~", "null", ""}) {
    EXPECT_THAT(ProblemsOf(one + text + "}}\n"),
                ElementsAre(HasSubstr("schedules.one.null_marker has no value; use a text, or "
                                      "remove the line; a text such as NULL or ~ needs quotes")))
        << text;
  }
  EXPECT_THAT(ProblemsOf(one + "'NULL'}}\n"), testing::IsEmpty());
  EXPECT_THAT(ProblemsOf("exports: {messages: {csv: {null_marker: NULL}}}\n"),
              ElementsAre(HasSubstr("needs quotes")));
}

TEST(ScheduleCheck, NoFixedParameterStandsForTheOrganisation) {
  EXPECT_THAT(ProblemsOf("databases: {shop: {url: 'postgres://shop'}}\n"
                         "exports: {own: {recipe: query_export, database: shop,\n"
                         "                query: 'SELECT :organisation',\n"
                         "                parameters: {organisation: beta}}}\n"),
              ElementsAre(HasSubstr("exports.own.parameters.organisation is always the "
                                    "organisation that an export is of")));
}

}  // namespace
}  // namespace spillway
