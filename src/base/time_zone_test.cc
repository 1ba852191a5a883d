#include "base/time_zone.h"

#include <algorithm>

#include <date/date.h>
#include <gtest/gtest.h>

namespace spillway {
namespace {

TEST(TimeZone, FindsZonesByTheirIanaName) {
  for (const char* name : {"UTC", "Europe/Vienna", "America/Sao_Paulo", "Asia/Kathmandu"}) {
    const auto zone = FindTimeZone(name);
    ASSERT_TRUE(zone.has_value()) << zone.error().message;
    EXPECT_EQ(zone->name(), name);
  }
}

TEST(TimeZone, NamesTheNearestZone) {
  const auto zone = FindTimeZone("Europe/Viena");
  ASSERT_FALSE(zone.has_value());
  EXPECT_EQ(zone.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(zone.error().message,
            "unknown time zone \"Europe/Viena\"; did you mean Europe/Vienna?");
}

TEST(TimeZone, RefusesWhatIsNoName) {
  for (const char* name :
       {"", "../../etc/passwd", "/etc/passwd", "Mars/Olympus_Mons", "zone.tab", "Europe", "Europe/",
        "Factory", "posixrules", "posix/Europe/Vienna", "right/Europe/Vienna", "localtime"}) {
    const auto zone = FindTimeZone(name);
    ASSERT_FALSE(zone.has_value()) << name;
    EXPECT_TRUE(zone.error().message.starts_with("unknown time zone \"")) << zone.error().message;
  }
}

date::sys_seconds At(int year, int month, int day, int hour = 0) {
  return date::sys_days(date::year(year) / month / day) + std::chrono::hours(hour);
}

TEST(TimeZone, D01TheRuleAtTheEndOfTheFileGoesOn) {
  const TimeZone berlin = *FindTimeZone("Europe/Berlin");
  const OffsetSpan summer = berlin.SpanAt(At(2050, 7, 1));
  EXPECT_EQ(summer.offset, std::chrono::hours(2));
  EXPECT_EQ(summer.abbreviation, "CEST");
  EXPECT_EQ(summer.begin, At(2050, 3, 27, 1));
  EXPECT_EQ(summer.end, At(2050, 10, 30, 1));
  const OffsetSpan winter = berlin.SpanAt(At(9999, 12, 31));
  EXPECT_EQ(winter.offset, std::chrono::hours(1));
  EXPECT_EQ(winter.begin, At(9999, 10, 31, 1));
  EXPECT_EQ(winter.end, At(10'000, 3, 26, 1));
  // Local mean time, before the first change.
  EXPECT_EQ(berlin.SpanAt(At(1850, 1, 1)).offset, std::chrono::seconds(3'208));
  EXPECT_EQ(berlin.SpanAt(At(-32'000, 1, 1)).begin, OffsetSpan::kBeginning);
}

TEST(TimeZone, D01ZonesWhoseRulesAreUnusual) {
  const auto offset = [](const char* zone, date::sys_seconds at) {
    return FindTimeZone(zone)->SpanAt(at).offset / std::chrono::minutes(1);
  };
  const date::sys_seconds january = At(2060, 1, 15), july = At(2060, 7, 15);
  EXPECT_EQ(offset("Europe/Dublin", january), 0);
  EXPECT_EQ(offset("Europe/Dublin", july), 60);
  EXPECT_EQ(offset("Australia/Lord_Howe", january), 660);
  EXPECT_EQ(offset("Australia/Lord_Howe", july), 630);
  EXPECT_EQ(offset("Antarctica/Troll", january), 0);
  EXPECT_EQ(offset("Antarctica/Troll", july), 120);
  EXPECT_EQ(offset("America/Nuuk", january), -120);
  EXPECT_EQ(offset("America/Nuuk", july), -60);
  EXPECT_EQ(offset("Asia/Gaza", At(2090, 7, 15)), 180);
  EXPECT_EQ(offset("Africa/Casablanca", At(2090, 7, 15)), 60);
  EXPECT_EQ(offset("Asia/Riyadh", july), 180);
  EXPECT_EQ(offset("Etc/GMT+5", july), -300);
}

TEST(TimeZone, FirstInstantOfLocalTimes) {
  const TimeZone berlin = *FindTimeZone("Europe/Berlin");
  const auto local = [](int month, int day, std::chrono::minutes time) {
    return date::local_days(date::year(2050) / month / day) + time;
  };
  using std::chrono::minutes;
  // 2050-03-27: 02:00 CET is followed by 03:00 CEST; 2050-10-30: 03:00 CEST by 02:00 CET.
  EXPECT_EQ(berlin.FirstInstantOf(local(3, 27, minutes(119))), At(2050, 3, 27) + minutes(59));
  EXPECT_EQ(berlin.FirstInstantOf(local(3, 27, minutes(150))), At(2050, 3, 27, 1));
  EXPECT_EQ(berlin.FirstInstantOf(local(3, 27, minutes(180))), At(2050, 3, 27, 1));
  EXPECT_EQ(berlin.FirstInstantOf(local(10, 30, minutes(150))), At(2050, 10, 30) + minutes(30));
  EXPECT_EQ(berlin.FirstInstantOf(local(10, 30, minutes(180))), At(2050, 10, 30, 2));
  EXPECT_EQ(TimeZone().FirstInstantOf(local(3, 27, minutes(150))), At(2050, 3, 27) + minutes(150));
  // Samoa had no 30 December 2011.
  EXPECT_EQ(
      FindTimeZone("Pacific/Apia")->FirstInstantOf(date::local_days(date::year(2011) / 12 / 30)),
      At(2011, 12, 30, 10));
}

TEST(TimeZone, ListsTheNamesThatItFinds) {
  const std::vector<std::string> names = TimeZoneNames();
  EXPECT_GT(names.size(), 400);
  for (const char* name : {"Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "UTC"})
    EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
  for (const std::string& name : names)
    EXPECT_TRUE(FindTimeZone(name).has_value()) << FindTimeZone(name).error().message;
}

}  // namespace
}  // namespace spillway
