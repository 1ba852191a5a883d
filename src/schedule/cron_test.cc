#include "schedule/cron.h"

#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "base/time_zone.h"

namespace spillway::schedule {
namespace {

Timestamp At(const std::string& text) {
  std::istringstream stream(text);
  Timestamp at;
  stream >> date::parse("%FT%TZ", at);
  return at;
}

/// The next `count` ticks, as instants.
std::string Ticks(const std::string& cron, const std::string& zone, const std::string& after,
                  int count) {
  const Result<Cron> parsed = Cron::Parse(cron);
  if (!parsed.has_value()) return parsed.error().message;
  std::string ticks;
  Timestamp at = At(after);
  for (int i = 0; i < count; ++i) {
    const std::optional<Timestamp> next = parsed->Next(at, *FindTimeZone(zone));
    if (!next) return ticks + "never";
    at = *next;
    ticks += FormatTimestamp(at).substr(5, 11) + " ";
  }
  return ticks;
}

std::string Problem(const std::string& cron) {
  const Result<Cron> parsed = Cron::Parse(cron);
  return parsed.has_value() ? "none" : parsed.error().message;
}

TEST(CronTest, FieldsAndNames) {
  EXPECT_EQ(Ticks("0 3 * * *", "UTC", "2026-01-30T03:00:00Z", 3),
            "01-31T03:00 02-01T03:00 02-02T03:00 ");
  EXPECT_EQ(Ticks("*/20 9-10 * * *", "UTC", "2026-01-30T09:30:00Z", 4),
            "01-30T09:40 01-30T10:00 01-30T10:20 01-30T10:40 ");
  EXPECT_EQ(Ticks("5,10-20/5 0 * * *", "UTC", "2026-01-30T00:00:00Z", 4),
            "01-30T00:05 01-30T00:10 01-30T00:15 01-30T00:20 ");
  EXPECT_EQ(Ticks("0 0 1 JAN,jul *", "UTC", "2026-01-30T00:00:00Z", 2), "07-01T00:00 01-01T00:00 ");
  EXPECT_EQ(Ticks("0 0 * * fri-Sun", "UTC", "2026-01-01T00:00:00Z", 4),
            "01-02T00:00 01-03T00:00 01-04T00:00 01-09T00:00 ");
  EXPECT_EQ(Ticks("0 0 * * 5-7", "UTC", "2026-01-01T00:00:00Z", 3),
            "01-02T00:00 01-03T00:00 01-04T00:00 ");
  EXPECT_EQ(Ticks("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 1), "02-29T00:00 ");
  EXPECT_EQ(Ticks(" 0\t3 * * * ", "UTC", "2026-01-30T03:00:00Z", 1), "01-31T03:00 ");
}

TEST(CronTest, ATickIsAfterTheTimeItIsAskedFor) {
  EXPECT_EQ(Ticks("* * * * *", "UTC", "2026-01-30T03:00:00Z", 1), "01-30T03:01 ");
  EXPECT_EQ(Ticks("* * * * *", "UTC", "2026-01-30T02:59:59.999999Z", 1), "01-30T03:00 ");
  EXPECT_EQ(Ticks("* * * * *", "UTC", "2026-01-30T03:00:00.000001Z", 1), "01-30T03:01 ");
}

TEST(CronTest, WhereBothDaysAreGivenOneSuffices) {
  EXPECT_EQ(Ticks("0 0 13 * fri", "UTC", "2026-03-01T00:00:00Z", 3),
            "03-06T00:00 03-13T00:00 03-20T00:00 ");
  // A field that begins with `*` has to fit, too.
  EXPECT_EQ(Ticks("0 0 */2 * fri", "UTC", "2026-03-01T00:00:00Z", 3),
            "03-13T00:00 03-27T00:00 04-03T00:00 ");
}

TEST(CronTest, J01StepsBeyondTheField) {
  // The first Monday of the month: the day begins with `*`, so both days have to fit.
  EXPECT_EQ(Ticks("0 3 */100,1-7 * mon", "UTC", "2026-01-01T00:00:00Z", 3),
            "01-05T03:00 02-02T03:00 03-02T03:00 ");
  // In the other order it does not: every 1st to 7th, and every Monday.
  EXPECT_EQ(Ticks("0 3 1-7,*/100 * mon", "UTC", "2026-01-06T04:00:00Z", 3),
            "01-07T03:00 01-12T03:00 01-19T03:00 ");
  EXPECT_EQ(Ticks("*/90 * * * *", "UTC", "2026-01-01T00:30:00Z", 2), "01-01T01:00 01-01T02:00 ");
  EXPECT_EQ(Ticks("10-20/60 0 * * *", "UTC", "2026-01-01T00:00:00Z", 2),
            "01-01T00:10 01-02T00:10 ");
  EXPECT_EQ(Ticks("0 */24 * * *", "UTC", "2026-01-01T00:00:00Z", 1), "01-02T00:00 ");
  EXPECT_EQ(Ticks("0 0 1 */13 *", "UTC", "2026-01-01T00:00:00Z", 1), "01-01T00:00 ");
  for (const char* cron : {"0 0 * * */7", "0 0 * * */8"})
    EXPECT_EQ(Ticks(cron, "UTC", "2026-01-01T00:00:00Z", 2), "01-04T00:00 01-11T00:00 ") << cron;
  EXPECT_EQ(Ticks("*/2147483647,*/99999999999 0 * * *", "UTC", "2026-01-01T00:00:00Z", 1),
            "01-02T00:00 ");
  for (const char* step : {"*/0", "*/-1", "*/+1", "*/", "*/1.5", "*/x", "*/1/1", "*/00"})
    EXPECT_NE(Problem(std::string(step) + " * * * *").find("is no step of the minute"),
              std::string::npos)
        << step;
}

TEST(CronTest, NamedSchedules) {
  const std::map<std::string, std::string> named = {
      {"@hourly", "01-30T01:00 "},  {"@daily", "01-31T00:00 "},   {"@midnight", "01-31T00:00 "},
      {"@weekly", "02-01T00:00 "},  {"@monthly", "02-01T00:00 "}, {"@yearly", "01-01T00:00 "},
      {"@annually", "01-01T00:00 "}};
  for (const auto& [name, next] : named) {
    EXPECT_EQ(Ticks(name, "UTC", "2026-01-30T00:30:00Z", 1), next) << name;
  }
}

TEST(CronTest, ATimeThatDoesNotExistIsDueAtTheJump) {
  // 2026-03-29: 02:00 CET is followed by 03:00 CEST.
  EXPECT_EQ(Ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            "03-28T01:30 03-29T01:00 03-30T00:30 ");
  EXPECT_EQ(Ticks("0,15,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            "03-29T01:00 03-30T00:00 ");
  // Due at the jump in its own right as well: once.
  EXPECT_EQ(Ticks("0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            "03-29T01:00 03-30T00:00 ");
  // A day that does not exist: Samoa had no 30 December 2011.
  EXPECT_EQ(Ticks("0 3 30 * *", "Pacific/Apia", "2011-12-01T00:00:00Z", 2),
            "12-30T10:00 01-29T13:00 ");
}

TEST(CronTest, ATimeThatComesTwiceIsDueTheFirstTime) {
  // 2026-10-25: 03:00 CEST is followed by 02:00 CET.
  EXPECT_EQ(Ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T00:30:00Z", 2),
            "10-25T00:30 10-26T01:30 ");
  EXPECT_EQ(Ticks("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", 1), "10-26T01:30 ");
  EXPECT_EQ(Ticks("0 2-3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 3),
            "10-25T00:00 10-25T02:00 10-26T01:00 ");
}

TEST(CronTest, AnIntervalKeepsItsBeat) {
  EXPECT_EQ(Ticks("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 5),
            "10-25T00:30 10-25T01:00 10-25T01:30 10-25T02:00 10-25T02:30 ");
  EXPECT_EQ(Ticks("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3),
            "03-29T00:30 03-29T01:30 03-29T02:30 ");
  EXPECT_EQ(Ticks("*/30 2 * * *", "Europe/Berlin", "2026-10-24T22:00:00Z", 5),
            "10-25T00:00 10-25T00:30 10-25T01:00 10-25T01:30 10-26T01:00 ");
  EXPECT_EQ(Ticks("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 1), "03-30T00:00 ");
}

TEST(CronTest, ProblemsSayWhere) {
  EXPECT_EQ(Problem("0 25 * * *"), "column 3: \"25\" is no hour; use 0 to 23");
  EXPECT_EQ(Problem("0 3 * *"),
            "column 8: there are 4 fields; write five: minute, hour, day of the month, month, day "
            "of the week");
  EXPECT_EQ(Problem("0 3 * * * 2026").substr(0, 32), "column 11: there are 6 fields; w");
  EXPECT_EQ(Problem("").substr(0, 30), "column 1: there are 0 fields; ");
  EXPECT_EQ(Problem("*/0 * * * *"), "column 3: \"0\" is no step of the minute; use 1 or more");
  EXPECT_EQ(Problem("0 22-2 * * *"),
            "column 3: the range 22-2 runs backwards; write it as two, 22-23 and 0-2");
  EXPECT_EQ(Problem("5/10 * * * *"), "column 1: a step needs a range; write 5-59/10");
  EXPECT_EQ(Problem("0 0 1 janu *"),
            "column 7: \"janu\" is no month; use 1 to 12, or a name such as jan");
  EXPECT_EQ(Problem("0 0 30 2 *"),
            "column 5: that day never comes in those months; use one that they have");
  EXPECT_EQ(Problem("0,,5 * * * *"), "column 3: \"\" is no minute; use 0 to 59");
  EXPECT_EQ(Problem("1-2-3 * * * *"), "column 3: \"2-3\" is no minute; use 0 to 59");
  EXPECT_EQ(Problem("-1 * * * *"), "column 1: \"\" is no minute; use 0 to 59");
  EXPECT_EQ(Problem("0 0 L * *"), "column 5: \"L\" is no day of the month; use 1 to 31");
  EXPECT_EQ(Problem("@reboot"),
            "column 1: \"@reboot\" is unknown; use @hourly, @daily, @weekly, @monthly or @yearly");
}

TEST(CronTest, InWords) {
  const std::map<std::string, std::string> words = {
      {"0 3 * * *", "at 03:00"},
      {"@daily", "at 00:00"},
      {"*/15 * * * *", "every 15 minutes"},
      {"* * * * *", "every minute"},
      {"5 * * * *", "at minute 5 of every hour"},
      {"0 */2 * * *", "at minute 0 of every 2nd hour from midnight"},
      {"*/10 9-17 * * mon-fri", "every 10 minutes of the hours 9 to 17 on Monday to Friday"},
      {"0 3,15 1 jan *", "at 03:00 and 15:00 on day 1 of the month in January"},
      {"*/90 * * * *", "at minute 0 of every hour"},
      {"0 3 */100,1-7 * mon", "at 03:00 on day 1 to 7 of the month, if that is Monday"},
      {"0 0 13 * fri", "at 00:00 on day 13 of the month and on Friday"},
      {"0 0 */2 * fri",
       "at 00:00 on day 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29 and 31 of the month, "
       "if that is Friday"}};
  for (const auto& [cron, expected] : words) EXPECT_EQ(Cron::Parse(cron)->InWords(), expected);
}

}  // namespace
}  // namespace spillway::schedule
