#include "base/zone_rule.h"

#include <date/date.h>
#include <gtest/gtest.h>

namespace spillway {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

date::sys_seconds At(int year, int month, int day, int hour = 0) {
  return date::sys_days(date::year(year) / month / day) + hours(hour);
}

OffsetSpan Span(const char* rule, date::sys_seconds at) {
  static std::optional<ZoneRule> parsed;  // The abbreviation points into it.
  parsed = ZoneRule::Parse(rule);
  return parsed ? parsed->SpanAt(at) : OffsetSpan{.abbreviation = "no rule"};
}

TEST(ZoneRule, WithoutDaylightTime) {
  const OffsetSpan span = Span("<+0330>-3:30", At(2100, 1, 1));
  EXPECT_EQ(span.offset, seconds(12'600));
  EXPECT_EQ(span.abbreviation, "+0330");
  EXPECT_EQ(span.begin, OffsetSpan::kBeginning);
  EXPECT_EQ(span.end, OffsetSpan::kEnd);
}

TEST(ZoneRule, FormsOfDates) {
  // The last Sunday; 02:00 unless a time is given.
  EXPECT_EQ(Span("CET-1CEST,M3.5.0,M10.5.0/3", At(2023, 6, 1)).begin, At(2023, 3, 26, 1));
  EXPECT_EQ(Span("CET-1CEST,M3.5.0,M10.5.0/3", At(2023, 6, 1)).end, At(2023, 10, 29, 1));
  // The second Sunday, also where the month begins with one.
  EXPECT_EQ(Span("EST5EDT,M3.2.0,M11.1.0", At(2026, 6, 1)).begin, At(2026, 3, 8, 7));
  EXPECT_EQ(Span("EST5EDT,M3.2.0,M11.1.0", At(2026, 6, 1)).end, At(2026, 11, 1, 6));
  // Day 60 is 1 March in every year; counted from 0 with leap days it is not.
  EXPECT_EQ(Span("AAA0BBB,J60/0,J300/0", At(2024, 6, 1)).begin, At(2024, 3, 1));
  EXPECT_EQ(Span("AAA0BBB,J60/0,J300/0", At(2023, 6, 1)).begin, At(2023, 3, 1));
  EXPECT_EQ(Span("AAA0BBB,60/0,300/0", At(2024, 6, 1)).begin, At(2024, 3, 1));
  EXPECT_EQ(Span("AAA0BBB,60/0,300/0", At(2023, 6, 1)).begin, At(2023, 3, 2));
}

TEST(ZoneRule, TimesOutsideTheirDay) {
  // Nuuk's clocks change on the Saturday before the last Sunday, Gaza's on the Saturday after the
  // last Thursday but one.
  EXPECT_EQ(Span("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", At(2050, 6, 1)).begin, At(2050, 3, 27, 1));
  EXPECT_EQ(Span("EET-2EEST,M3.4.4/50,M10.4.4/50", At(2090, 6, 1)).begin, At(2090, 3, 25));
}

TEST(ZoneRule, DaylightTimeAcrossNewYearAndThroughIt) {
  const OffsetSpan southern = Span("AEST-10AEDT,M10.1.0,M4.1.0/3", At(2051, 1, 1));
  EXPECT_EQ(southern.offset, hours(11));
  EXPECT_EQ(southern.begin, At(2050, 10, 1, 16));
  EXPECT_EQ(southern.end, At(2051, 4, 1, 16));
  // "Winter time" that is an hour behind the standard, as in Ireland.
  EXPECT_EQ(Span("IST-1GMT0,M10.5.0,M3.5.0/1", At(2051, 1, 1)).offset, hours(0));
  EXPECT_EQ(Span("IST-1GMT0,M10.5.0,M3.5.0/1", At(2051, 7, 1)).offset, hours(1));
  // All year round (RFC 9636, 3.3.1).
  for (int month = 1; month <= 12; ++month)
    EXPECT_EQ(Span("EST5EDT,0/0,J365/25", At(2051, month, 1)).offset, hours(-4)) << month;
  EXPECT_EQ(Span("EST5EDT,0/0,J365/25", At(2051, 1, 1, 4)).offset, hours(-4));
}

TEST(ZoneRule, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "CET",
                           "C-1",
                           "-1",
                           "<+01-1",
                           "CET-1CEST",
                           "CET-1CEST,M3.5.0",
                           "CET-1CEST,M13.5.0,M10.5.0",
                           "CET-1CEST,M3.6.0,M10.5.0",
                           "CET-1CEST,M3.5.7,M10.5.0",
                           "CET-1CEST,M3.5.0,M10.5.0/168",
                           "CET-1CEST,M3.5.0,M10.5.0 ",
                           "CET-25",
                           "CET-1:60",
                           "CET-1CEST,J0,J365",
                           "CET-1CEST,366,J1",
                           "CET-1CEST,M3.5.0,M10.5.0/3,",
                           "CET-1CEST-",
                           "<>0",
                           "CET-0001"}) {
    EXPECT_FALSE(ZoneRule::Parse(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace spillway
