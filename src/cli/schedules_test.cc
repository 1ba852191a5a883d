#include "cli/schedules.h"

#include <chrono>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/settings_file.h"

namespace spillway::cli {
namespace {

TEST(Schedules, TheirZoneIsThatOfTheRangeAndOfWhatIsWritten) {
  const auto settings = ParseSettings(
      "exports: {messages: {time_zone: UTC}}\n"
      "schedules:\n"
      "  nightly: {export: messages, cron: '@daily', organisation: acme, from: yesterday,\n"
      "            through: yesterday, time_zone: America/New_York}\n"
      "  plain: {export: messages, cron: '@daily', organisation: acme, from: yesterday,\n"
      "          through: yesterday}\n",
      "spillway.yaml", {});
  ASSERT_TRUE(settings.has_value());
  const auto schedules = SchedulesOf(*settings);
  ASSERT_TRUE(schedules.has_value()) << schedules.error().message;
  std::map<std::string, nlohmann::json> parameters;
  const Timestamp noon(std::chrono::sys_days(std::chrono::January / 31 / 2025) +
                       std::chrono::hours(12));
  for (const engine::Schedule& schedule : *schedules) {
    const auto request = schedule.request(noon);
    ASSERT_TRUE(request.has_value()) << request.error().message;
    parameters[schedule.name] = nlohmann::json::parse(request->parameters);
  }
  EXPECT_EQ(parameters["nightly"]["from"], "2025-01-30T05:00:00.000000Z");
  EXPECT_EQ(parameters["nightly"]["to"], "2025-01-31T05:00:00.000000Z");
  EXPECT_EQ(parameters["nightly"]["time_zone"], "America/New_York");
  EXPECT_EQ(parameters["plain"]["from"], "2025-01-30T00:00:00.000000Z");
  EXPECT_EQ(parameters["plain"]["time_zone"], "UTC");
}

}  // namespace
}  // namespace spillway::cli
