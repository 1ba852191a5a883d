#include "deployment/schedules.h"

#include <chrono>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "recipe/recipients.h"
#include "recipe/registry.h"
#include "settings/settings_file.h"

namespace spillway {
namespace {

const Timestamp kNoon(std::chrono::sys_days(std::chrono::January / 31 / 2025) +
                      std::chrono::hours(12));

/// What each schedule asks for at noon.
std::map<std::string, recipe::Request> RequestsOf(std::string_view configuration,
                                                  const Variables& variables = {}) {
  const recipe::Registry registry = recipe::RecipesInProgram();
  const auto settings =
      ParseSettings(std::string(configuration), "spillway.yaml", variables, registry);
  EXPECT_TRUE(settings.has_value());
  const auto schedules = SchedulesOf(*settings, registry);
  EXPECT_TRUE(schedules.has_value()) << schedules.error().message;
  std::map<std::string, recipe::Request> requests;
  for (const engine::Schedule& schedule : *schedules) {
    const auto request = schedule.request(kNoon);
    EXPECT_TRUE(request.has_value()) << request.error().message;
    requests[schedule.name] = *request;
  }
  return requests;
}

nlohmann::json ParametersOf(const recipe::Request& request) {
  return nlohmann::json::parse(request.parameters);
}

TEST(Schedules, TheirZoneIsThatOfTheRangeAndOfWhatIsWritten) {
  auto requests = RequestsOf(
      "exports: {messages: {time_zone: UTC}}\n"
      "schedules:\n"
      "  nightly: {export: messages, cron: '@daily', organisation: acme, from: yesterday,\n"
      "            through: yesterday, time_zone: America/New_York}\n"
      "  plain: {export: messages, cron: '@daily', organisation: acme, from: yesterday,\n"
      "          through: yesterday}\n");
  const auto nightly = ParametersOf(requests["nightly"]);
  const auto plain = ParametersOf(requests["plain"]);
  EXPECT_EQ(nightly["from"], "2025-01-30T05:00:00.000000Z");
  EXPECT_EQ(nightly["to"], "2025-01-31T05:00:00.000000Z");
  EXPECT_EQ(nightly["time_zone"], "America/New_York");
  EXPECT_EQ(plain["from"], "2025-01-30T00:00:00.000000Z");
  EXPECT_EQ(plain["time_zone"], "UTC");
}

TEST(Schedules, TheyAskForWhatAPersonWould) {
  auto requests = RequestsOf(
      "databases: {shop: {url: 'postgres://shop'}}\n"
      "open_data: {database: {host: db}, limit: 9}\n"
      "exports:\n"
      "  recent: {recipe: query_export, database: shop, query: 'SELECT :Customer, :tick'}\n"
      "  plain: {recipe: query_export, database: shop, query: 'SELECT :Customer'}\n"
      "schedules:\n"
      "  with-tick: {export: recent, cron: '@daily', organisation: acme,\n"
      "              parameters: {Customer: 'O=1'}}\n"
      "  other-tick: {export: recent, cron: '@daily', parameters: {Customer: '', tick: noon}}\n"
      "  without-tick: {export: plain, cron: '@daily', parameters: {Customer: 1}}\n"
      "  all: {export: open-data, cron: '@daily', limit: 0, time_limit: 0s}\n"
      "  some: {export: open-data, cron: '@daily', limit: 500, time_limit: 14m}\n"
      "  as-configured: {export: open-data, cron: '@daily'}\n");
  using Json = nlohmann::json;
  EXPECT_EQ(requests["with-tick"].who.organisation, "acme");
  EXPECT_EQ(ParametersOf(requests["with-tick"])["parameters"],
            Json({{"Customer", "O=1"}, {"tick", "2025-01-31T12:00:00.000000Z"}}));
  EXPECT_EQ(ParametersOf(requests["other-tick"])["parameters"],
            Json({{"Customer", ""}, {"tick", "noon"}}));
  EXPECT_EQ(ParametersOf(requests["without-tick"])["parameters"], Json({{"Customer", "1"}}));
  EXPECT_EQ(ParametersOf(requests["all"]), Json({{"limit", 0}, {"time_limit_ms", 0}}));
  EXPECT_EQ(ParametersOf(requests["some"]), Json({{"limit", 500}, {"time_limit_ms", 840'000}}));
  EXPECT_EQ(ParametersOf(requests["as-configured"]), Json::object());
  EXPECT_EQ(requests["some"].who.user, "schedule some, 2025-01-31T12:00:00.000000Z");
}

TEST(Schedules, WhatVariablesGaveToParametersIsConcealed) {
  auto requests = RequestsOf(
      "databases: {shop: {url: 'postgres://shop'}}\n"
      "exports: {recent: {recipe: query_export, database: shop, query: 'SELECT :a, :b'}}\n"
      "schedules:\n"
      "  one: {export: recent, cron: '@daily', parameters: {a: 'x${TOKEN}', b: plain}}\n"
      "  other: {export: recent, cron: '@daily', parameters: {a: x, b: plain}}\n",
      {.environment = {{"TOKEN", "open-sesame"}}, .of_file = {}});
  const nlohmann::json one = ParametersOf(requests["one"]);
  EXPECT_EQ(one["parameters"]["a"], "xopen-sesame");
  EXPECT_EQ(one["concealed"], nlohmann::json::array({"/parameters/a"}));
  const auto shown = recipe::WithoutSecrets(nlohmann::ordered_json(one));
  EXPECT_EQ(shown["parameters"], (nlohmann::ordered_json{{"a", "(secret)"}, {"b", "plain"}}));
  EXPECT_FALSE(shown.contains("concealed"));
  EXPECT_FALSE(ParametersOf(requests["other"]).contains("concealed"));
}

TEST(Schedules, ParametersOutOfAVariableOfTheirOwnAreConcealed) {
  auto requests = RequestsOf(
      "databases: {shop: {url: 'postgres://shop'}}\n"
      "exports: {recent: {recipe: query_export, database: shop, query: 'SELECT :a'}}\n"
      "schedules: {one: {export: recent, cron: '@daily', parameters: {a: x}}}\n",
      {.environment = {{"SPILLWAY_SCHEDULES_ONE_PARAMETERS", "{a: open-sesame}"}}, .of_file = {}});
  const nlohmann::json one = ParametersOf(requests["one"]);
  EXPECT_EQ(one["parameters"]["a"], "open-sesame");
  EXPECT_EQ(one["concealed"], nlohmann::json::array({"/parameters/a"}));
}

}  // namespace
}  // namespace spillway
