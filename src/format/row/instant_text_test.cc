#include "format/row/instant_text.h"

#include <limits>
#include <random>
#include <string>

#include <date/date.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "format/row/values.h"

namespace spillway::format {
namespace {

template <int kDigits>
std::string Written(InstantText& text, int64_t value) {
  char room[128];
  const char* end = text.Write<kDigits>(value, room);
  return end == nullptr ? "refused" : std::string(room, static_cast<size_t>(end - room));
}

std::string InZone(const char* name, int64_t microseconds) {
  const Zone zone = *Zone::Find(name);
  InstantText text(&zone, 1'000'000, false);
  return Written<6>(text, microseconds);
}

TEST(InstantText, WritesUtcAsZ) {
  EXPECT_EQ(InZone("UTC", 0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(InZone("Etc/UTC", 1), "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(InZone("UTC", -1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(InZone("UTC", 951'782'400'000'000), "2000-02-29T00:00:00.000000Z");
}

TEST(InstantText, WritesOffsetsOfTheirTime) {
  // 2025-03-30 01:00 UTC: from +01:00 to +02:00.
  EXPECT_EQ(InZone("Europe/Vienna", 1'743'296'399'999'999), "2025-03-30T01:59:59.999999+01:00");
  EXPECT_EQ(InZone("Europe/Vienna", 1'743'296'400'000'000), "2025-03-30T03:00:00.000000+02:00");
  // 2025-10-26 01:00 UTC: the hour from 02:00 comes twice.
  EXPECT_EQ(InZone("Europe/Vienna", 1'761'440'399'000'000), "2025-10-26T02:59:59.000000+02:00");
  EXPECT_EQ(InZone("Europe/Vienna", 1'761'440'400'000'000), "2025-10-26T02:00:00.000000+01:00");
  EXPECT_EQ(InZone("Asia/Kathmandu", 1'738'367'999'000'001), "2025-02-01T05:44:59.000001+05:45");
  EXPECT_EQ(InZone("America/St_Johns", 1'738'367'999'000'001), "2025-01-31T20:29:59.000001-03:30");
}

TEST(InstantText, RoundsOffsetsOfOldToMinutesAndKeepsTheInstant) {
  // Local mean time of Vienna is +01:05:21 until 1893.
  EXPECT_EQ(InZone("Europe/Vienna", -3'000'000'000'000'000), "1874-12-07T19:45:00.000000+01:05");
}

TEST(InstantText, AgreesWithTheCalendarInAnyOrder) {
  std::mt19937_64 random(3);
  for (const char* name :
       {"UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Africa/Monrovia"}) {
    const Zone zone = *Zone::Find(name);
    const TimeZone time_zone = *FindTimeZone(name);
    InstantText text(&zone, 1'000'000, false);
    for (int i = 0; i < 20'000; ++i) {
      // 1920 to 2100; near neighbours too.
      int64_t value =
          static_cast<int64_t>(random() % 5'680'000'000'000'000) - 1'577'923'200'000'000;
      for (int near = 0; near < 3; ++near, value += static_cast<int64_t>(random() % 40'000'000)) {
        const date::sys_time<std::chrono::microseconds> instant{std::chrono::microseconds(value)};
        const auto offset =
            time_zone.SpanAt(date::floor<std::chrono::seconds>(instant)).offset.count();
        if (offset % 60 != 0) continue;
        std::string expected = date::format("%FT%T", instant + std::chrono::seconds(offset));
        expected += std::string_view(name) == "UTC"
                        ? "Z"
                        : fmt::format("{}{:02}:{:02}", offset < 0 ? '-' : '+',
                                      std::abs(offset) / 3'600, std::abs(offset) / 60 % 60);
        ASSERT_EQ(Written<6>(text, value), expected);
      }
    }
  }
}

TEST(InstantText, HasTheDigitsOfItsUnit) {
  const Zone utc = *Zone::Find("UTC");
  InstantText seconds(&utc, 1, false), milliseconds(&utc, 1'000, false),
      nanoseconds(&utc, 1'000'000'000, true);
  EXPECT_EQ(Written<0>(seconds, 1'738'367'999), "2025-01-31T23:59:59Z");
  EXPECT_EQ(Written<3>(milliseconds, 1'738'367'999'042), "2025-01-31T23:59:59.042Z");
  EXPECT_EQ(Written<9>(nanoseconds, 1'738'367'999'000'000'789),
            "\"2025-01-31T23:59:59.000000789Z\"");
  EXPECT_EQ(Written<9>(nanoseconds, std::numeric_limits<int64_t>::min()),
            "\"1677-09-21T00:12:43.145224192Z\"");
  EXPECT_EQ(Written<9>(nanoseconds, std::numeric_limits<int64_t>::max()),
            "\"2262-04-11T23:47:16.854775807Z\"");
}

TEST(InstantText, WithoutAZoneHasNoOffset) {
  InstantText text(nullptr, 1'000'000, false);
  EXPECT_EQ(Written<6>(text, 1'738'367'999'000'001), "2025-01-31T23:59:59.000001");
}

TEST(InstantText, D01SummerTimeAfter2037) {
  EXPECT_EQ(InZone("Europe/Berlin", 2'540'327'400'000'000), "2050-07-02T00:30:00.000000+02:00");
}

TEST(InstantText, O6UtcBesideOtherZonesHasAnOffset) {
  for (const char* name : {"UTC", "Etc/UTC", "Europe/London"}) {
    const Zone zone = *Zone::Find(name, UtcForm::kOffset);
    InstantText text(&zone, 1, false);
    EXPECT_EQ(Written<0>(text, 0).substr(19),
              name[0] == 'E' && name[1] == 'u' ? "+01:00" : "+00:00");
    EXPECT_EQ(Written<0>(text, 1'735'689'600), "2025-01-01T00:00:00+00:00") << name;
  }
}

TEST(InstantText, F06YearsThatRfc3339HasNotAreExpanded) {
  const Zone berlin = *Zone::Find("Europe/Berlin");
  InstantText text(&berlin, 1, false), quoted(&berlin, 1, true);
  EXPECT_EQ(Written<0>(text, 253'402'300'799 - 3'600), "9999-12-31T23:59:59+01:00");
  EXPECT_EQ(Written<0>(text, 253'402'300'799), "+10000-01-01T00:59:59+01:00");
  EXPECT_EQ(Written<0>(quoted, 253'402'300'799), "\"+10000-01-01T00:59:59+01:00\"");
  // The summer of the year 10000.
  EXPECT_EQ(Written<0>(text, 253'418'025'600), "+10000-07-01T02:00:00+02:00");
  // 44 BC is the year -43; local mean time is +00:53:28.
  EXPECT_EQ(Written<0>(text, -63'517'824'000), "-0043-03-15T00:53:00+00:53");
  EXPECT_EQ(Written<0>(text, -62'167'219'200 - 3'180), "0000-01-01T00:00:00+00:53");
  EXPECT_EQ(Written<0>(text, -62'167'219'201 - 3'180), "-0001-12-31T23:59:59+00:53");
  // And goes on with those that it has.
  EXPECT_EQ(Written<0>(text, 0), "1970-01-01T01:00:00+01:00");
}

TEST(InstantText, F06TheEndsOfWhatUnitsHold) {
  using Limits = std::numeric_limits<int64_t>;
  const Zone berlin = *Zone::Find("Europe/Berlin");
  InstantText microseconds(&berlin, 1'000'000, true), milliseconds(&berlin, 1'000, true),
      seconds(&berlin, 1, true);
  EXPECT_EQ(Written<6>(microseconds, Limits::max()), "\"+294247-01-10T05:00:54.775807+01:00\"");
  EXPECT_EQ(Written<6>(microseconds, Limits::min()), "\"-290308-12-21T20:52:05.224192+00:53\"");
  EXPECT_EQ(Written<3>(milliseconds, Limits::max()), "\"+292278994-08-17T09:12:55.807+02:00\"");
  EXPECT_EQ(Written<0>(seconds, Limits::max()), "refused");
  EXPECT_EQ(Written<0>(seconds, Limits::min()), "refused");
  constexpr int64_t kYear999999999Ends = 31'556'889'832'780'799;
  EXPECT_EQ(Written<0>(seconds, kYear999999999Ends - 3'600), "\"+999999999-12-31T23:59:59+01:00\"");
  EXPECT_EQ(Written<0>(seconds, kYear999999999Ends), "refused");
}

TEST(InstantText, WritesDates) {
  InstantText text(nullptr, 1, false), quoted(nullptr, 1, true);
  const auto written = [](InstantText& in, int64_t days) {
    char room[128];
    return std::string(room, in.WriteDate(days, room));
  };
  EXPECT_EQ(written(text, 20'119), "2025-01-31");
  EXPECT_EQ(written(quoted, -1), "\"1969-12-31\"");
  EXPECT_EQ(written(text, -719'528), "0000-01-01");
  EXPECT_EQ(written(text, -719'529), "-0001-12-31");
  EXPECT_EQ(written(quoted, 2'932'897), "\"+10000-01-01\"");
  EXPECT_EQ(written(text, std::numeric_limits<int32_t>::max()), "+5881580-07-11");
  EXPECT_EQ(written(quoted, std::numeric_limits<int32_t>::min()), "\"-5877641-06-23\"");
}

TEST(TimeOfDay, HasTheDigitsOfItsUnit) {
  char room[64];
  EXPECT_EQ(std::string(room, WriteTimeOfDay(0, 1, room)), "00:00:00");
  EXPECT_EQ(std::string(room, WriteTimeOfDay(86'399'999, 1'000, room)), "23:59:59.999");
  EXPECT_EQ(std::string(room, WriteTimeOfDay(3'661'000'001, 1'000'000, room)), "01:01:01.000001");
  EXPECT_EQ(std::string(room, WriteTimeOfDay(86'399'999'999'999, 1'000'000'000, room)),
            "23:59:59.999999999");
  EXPECT_EQ(WriteTimeOfDay(86'400, 1, room), nullptr);
  EXPECT_EQ(WriteTimeOfDay(-1, 1, room), nullptr);
}

}  // namespace
}  // namespace spillway::format
