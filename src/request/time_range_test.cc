#include "request/time_range.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spillway::request {
namespace {

using testing::HasSubstr;

std::string Range(const TimeRangeText& text) {
  const auto range = ParseTimeRange(text);
  if (!range.has_value()) return range.error().field + " " + range.error().message;
  std::string begin = FormatTimestamp(range->begin);
  std::string end = FormatTimestamp(range->end);
  for (std::string* each : {&begin, &end}) {
    if (const size_t zeros = each->find(".000000"); zeros != std::string::npos)
      each->erase(zeros, 7);
  }
  return begin + " " + end;
}

TEST(TimeRange, DaysAreHalfOpenAndThroughIsNot) {
  EXPECT_EQ(Range({.from = "2025-01-11", .to = "2025-03-21"}),
            "2025-01-11T00:00:00Z 2025-03-21T00:00:00Z");
  EXPECT_EQ(Range({.from = "2025-01-11", .through = "2025-03-21"}),
            "2025-01-11T00:00:00Z 2025-03-22T00:00:00Z");
  EXPECT_EQ(Range({.from = "2024-02-29", .through = "2024-02-29"}),
            "2024-02-29T00:00:00Z 2024-03-01T00:00:00Z");
  EXPECT_EQ(Range({.from = "2024-12-31", .through = "2024-12-31", .time_zone = "Asia/Kathmandu"}),
            "2024-12-30T18:15:00Z 2024-12-31T18:15:00Z");
}

TEST(TimeRange, TimesAreOfTheZoneAndInstantsOfTheirOffset) {
  EXPECT_EQ(Range({.from = "2025-01-11T08:30",
                   .to = "2025-01-11T09:30:15.25",
                   .time_zone = "Europe/Vienna"}),
            "2025-01-11T07:30:00Z 2025-01-11T08:30:15.250000Z");
  EXPECT_EQ(Range({.from = "2025-01-11T08:30:00-05:00",
                   .to = "2025-01-11t14:00:00.123456789z",
                   .time_zone = "Europe/Vienna"}),
            "2025-01-11T13:30:00Z 2025-01-11T14:00:00.123457Z");
}

TEST(TimeRange, FinerThanAMicrosecondIsRoundedUp) {
  EXPECT_EQ(
      Range({.from = "2025-01-11T23:59:59.000000001Z", .to = "2025-01-31T23:59:59.999999999Z"}),
      "2025-01-11T23:59:59.000001Z 2025-02-01T00:00:00Z");
  EXPECT_EQ(Range({.from = "2025-01-11T00:00:00.000001000Z", .to = "2025-01-31T23:59:59.999999Z"}),
            "2025-01-11T00:00:00.000001Z 2025-01-31T23:59:59.999999Z");
}

TEST(TimeRange, DaysAroundChangesOfTheClockAreWhole) {
  // 23 and 25 hours.
  EXPECT_EQ(Range({.from = "2025-03-30", .through = "2025-03-30", .time_zone = "Europe/Vienna"}),
            "2025-03-29T23:00:00Z 2025-03-30T22:00:00Z");
  EXPECT_EQ(Range({.from = "2025-10-26", .through = "2025-10-26", .time_zone = "Europe/Vienna"}),
            "2025-10-25T22:00:00Z 2025-10-26T23:00:00Z");
}

TEST(TimeRange, ADayWithoutMidnightBeginsWhereItBegins) {
  // São Paulo went from 00:00 to 01:00 on 4 November 2018.
  EXPECT_EQ(Range({.from = "2018-11-04", .to = "2018-11-05", .time_zone = "America/Sao_Paulo"}),
            "2018-11-04T03:00:00Z 2018-11-05T02:00:00Z");
  EXPECT_EQ(
      Range({.from = "2018-11-03", .through = "2018-11-03", .time_zone = "America/Sao_Paulo"}),
      "2018-11-03T03:00:00Z 2018-11-04T03:00:00Z");
  // Samoa had no 30 December 2011 at all.
  EXPECT_EQ(Range({.from = "2011-12-29", .through = "2011-12-29", .time_zone = "Pacific/Apia"}),
            "2011-12-29T10:00:00Z 2011-12-30T10:00:00Z");
}

TEST(TimeRange, TimesInAGapOrTwiceThere) {
  EXPECT_EQ(
      Range({.from = "2025-03-30T02:30", .to = "2025-03-30T03:30", .time_zone = "Europe/Vienna"}),
      "2025-03-30T01:00:00Z 2025-03-30T01:30:00Z");
  // 02:30 comes twice on 26 October; so does midnight in Havana on 2 November.
  EXPECT_EQ(
      Range({.from = "2025-10-26T02:30", .to = "2025-10-26T03:00", .time_zone = "Europe/Vienna"}),
      "2025-10-26T00:30:00Z 2025-10-26T02:00:00Z");
  EXPECT_EQ(Range({.from = "2025-11-02", .through = "2025-11-02", .time_zone = "America/Havana"}),
            "2025-11-02T04:00:00Z 2025-11-03T05:00:00Z");
}

TEST(TimeRange, WhatIsNoTimeIsSaidSo) {
  EXPECT_EQ(Range({.from = "2025-02-30", .to = "2025-03-01"}),
            "from \"2025-02-30\" is no day of the calendar; that month ends on 2025-02-28");
  EXPECT_EQ(Range({.from = "2025-02-01", .through = "2025-02-29"}),
            "through \"2025-02-29\" is no day of the calendar; that month ends on 2025-02-28");
  EXPECT_THAT(Range({.from = "2025-13-01", .to = "2025-03-01"}),
              HasSubstr("is no day of the calendar; use a day"));
  EXPECT_THAT(Range({.from = "2025-02-01T24:00", .to = "2025-03-01"}),
              HasSubstr("is no time of the day"));
  EXPECT_THAT(Range({.from = "2025-02-01T10:00:60Z", .to = "2025-03-01"}),
              HasSubstr("is no time of the day"));
  EXPECT_THAT(Range({.from = "2025-02-01T10:00+25:00", .to = "2025-03-01"}),
              HasSubstr("is no time of the day"));
  for (const char* text :
       {"", "tomorrow", "2025-1-1", "20250101", "2025-01-01T", "2025-01-01T1:00", "-025-01-01",
        "2025-01-01Z", "2025-01-01T10:00:00.Z", "2025-01-01T10:00:00 Europe/Vienna",
        "2025-01-01T10:00+1:00", "2025-01-01T-1:00", "01/02/2025", "2025-01-01 "}) {
    EXPECT_THAT(Range({.from = text, .to = "2025-03-01"}), HasSubstr("is no time; use a day"))
        << text;
  }
}

TEST(TimeRange, ADayThatItsZoneDidNotHaveIsNamed) {
  const std::string none =
      "from leaves an empty range, for there was no 2011-12-30 in Pacific/Apia, whose clocks went "
      "past it; "
      "use other days";
  EXPECT_EQ(Range({.from = "2011-12-30", .through = "2011-12-30", .time_zone = "Pacific/Apia"}),
            none);
  EXPECT_EQ(Range({.from = "2011-12-30", .to = "2011-12-31", .time_zone = "Pacific/Apia"}), none);
  EXPECT_EQ(Range({.from = "2011-12-31", .through = "2011-12-29", .time_zone = "Pacific/Apia"}),
            "through \"2011-12-29\" is before from \"2011-12-31\"; exchange them");
}

TEST(TimeRange, EndsMustFollow) {
  EXPECT_EQ(Range({.from = "2025-03-01", .to = "2025-02-01"}),
            "to \"2025-02-01\" is before from \"2025-03-01\"; exchange them");
  EXPECT_EQ(Range({.from = "2025-03-01", .through = "2025-02-27"}),
            "through \"2025-02-27\" is before from \"2025-03-01\"; exchange them");
  EXPECT_EQ(
      Range({.from = "2025-03-01", .to = "2025-03-01"}),
      "to \"2025-03-01\" leaves nothing: it is exclusive and equals from; use a later one, or "
      "through 2025-03-01 for the whole day");
  EXPECT_THAT(Range({.from = "2025-03-01"}), HasSubstr("to is missing; give to"));
  EXPECT_THAT(Range({.from = "2025-03-01", .to = "2025-03-02", .through = "2025-03-02"}),
              HasSubstr("through stands beside to"));
  EXPECT_THAT(Range({.from = "2025-03-01", .through = "2025-03-02T10:00"}),
              HasSubstr("has a time; use a day, or to"));
}

TEST(TimeRange, UnknownZonesNameTheNearest) {
  EXPECT_EQ(Range({.from = "2025-03-01", .to = "2025-03-02", .time_zone = "Europe/Viena"}),
            "time_zone names an unknown time zone \"Europe/Viena\"; did you mean Europe/Vienna?");
}

TEST(TimeRange, WordsAreRelativeToNow) {
  // A Wednesday, 00:30 in Berlin; still Tuesday in UTC.
  const Timestamp now = std::chrono::sys_days(std::chrono::year(2026) / 4 / 14) +
                        std::chrono::hours(22) + std::chrono::minutes(30);
  const auto range = [&](const std::string& from, const std::string& through,
                         const std::string& zone = "Europe/Berlin") {
    return Range({.from = from, .through = through, .time_zone = zone, .now = now});
  };
  EXPECT_EQ(range("yesterday", "yesterday"), "2026-04-13T22:00:00Z 2026-04-14T22:00:00Z");
  EXPECT_EQ(range("yesterday", "yesterday", "UTC"), "2026-04-13T00:00:00Z 2026-04-14T00:00:00Z");
  EXPECT_EQ(range("today", "today", "UTC"), "2026-04-14T00:00:00Z 2026-04-15T00:00:00Z");
  EXPECT_EQ(range("today-7d", "yesterday", "UTC"), "2026-04-07T00:00:00Z 2026-04-14T00:00:00Z");
  EXPECT_EQ(range("this-week", "this-week", "UTC"), "2026-04-13T00:00:00Z 2026-04-20T00:00:00Z");
  EXPECT_EQ(range("last-week", "last-week", "UTC"), "2026-04-06T00:00:00Z 2026-04-13T00:00:00Z");
  EXPECT_EQ(range("this-month", "this-month", "UTC"), "2026-04-01T00:00:00Z 2026-05-01T00:00:00Z");
  // The clock changed in March.
  EXPECT_EQ(range("last-month", "last-month"), "2026-02-28T23:00:00Z 2026-03-31T22:00:00Z");
  EXPECT_EQ(range("last-year", "last-year", "UTC"), "2025-01-01T00:00:00Z 2026-01-01T00:00:00Z");
  EXPECT_EQ(range("this-year", "this-year", "UTC"), "2026-01-01T00:00:00Z 2027-01-01T00:00:00Z");
  EXPECT_EQ(Range({.from = "last-month", .to = "this-month", .now = now}),
            "2026-03-01T00:00:00Z 2026-04-01T00:00:00Z");
  EXPECT_EQ(Range({.from = "today", .to = "now", .now = now}),
            "2026-04-14T00:00:00Z 2026-04-14T22:30:00Z");
  EXPECT_THAT(Range({.from = "tomorrow", .to = "now", .now = now}), HasSubstr("is no time"));
  EXPECT_THAT(Range({.from = "today-d", .to = "now", .now = now}), HasSubstr("is no time"));
  EXPECT_THAT(Range({.from = "today-99999d", .to = "now", .now = now}), HasSubstr("is no time"));
  EXPECT_THAT(range("yesterday", "now"), HasSubstr("through \"now\" is no time"));
}

}  // namespace
}  // namespace spillway::request
