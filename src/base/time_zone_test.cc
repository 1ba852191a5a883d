#include "base/time_zone.h"

#include <date/tz.h>
#include <gtest/gtest.h>

namespace spillway {
namespace {

TEST(TimeZone, FindsZonesByTheirIanaName) {
  for (const char* name : {"UTC", "Europe/Vienna", "America/Sao_Paulo", "Asia/Kathmandu"}) {
    const auto zone = FindTimeZone(name);
    ASSERT_TRUE(zone.has_value()) << zone.error().message;
    EXPECT_EQ((*zone)->name(), name);
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
       {"", "../../etc/passwd", "/etc/passwd", "Mars/Olympus_Mons", "zone.tab"}) {
    const auto zone = FindTimeZone(name);
    ASSERT_FALSE(zone.has_value()) << name;
    EXPECT_NE(zone.error().message.find("use an IANA name"), std::string::npos);
  }
}

}  // namespace
}  // namespace spillway
