#include "config/scalar.h"

#include <chrono>
#include <limits>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace spillway::config {
namespace {

using std::chrono::milliseconds;

TEST(Duration, PartsGoFromLargeToSmall) {
  EXPECT_EQ(ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(ParseDuration("0s"), milliseconds(0));
  EXPECT_EQ(ParseDuration(" 5m "), milliseconds(300'000));
  EXPECT_EQ(ParseDuration("1d2h3m4s5ms"), milliseconds(93'784'005));
  for (const char* text : {"", "5", "m", "-5s", "1.5h", "5 m", "1m1h", "1s1s", "5M", "5sec",
                           "99999999999999999999s", "9223372036854775807d"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Duration, IsWrittenAsItIsRead) {
  for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{1500}, int64_t{93'784'005},
                              std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(ParseDuration(FormatDuration(milliseconds(count))), milliseconds(count)) << count;
  }
  EXPECT_EQ(FormatDuration(milliseconds(5'400'000)), "1h30m");
}

TEST(ByteSize, UnitsAreBinaryOrDecimal) {
  EXPECT_EQ(ParseByteSize("4096"), ByteSize{4096});
  EXPECT_EQ(ParseByteSize("64 KiB"), ByteSize{65'536});
  EXPECT_EQ(ParseByteSize("64kB"), ByteSize{64'000});
  EXPECT_EQ(ParseByteSize("1.5 GiB"), ByteSize{1'610'612'736});
  EXPECT_EQ(ParseByteSize("0"), ByteSize{0});
  for (const char* text : {"", "MiB", "-1", "1.", ".5 GiB", "1.5.1 B", "1.5", "1.5 B", "1 mib",
                           "1 KB", "1 Kib", "1e3", "99999999999999999999", "16777216 TiB"}) {
    EXPECT_EQ(ParseByteSize(text), std::nullopt) << text;
  }
}

TEST(ByteSize, IsWrittenAsItIsRead) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, uint64_t{1} << 20U,
                               uint64_t{1'610'612'736}, std::numeric_limits<uint64_t>::max()}) {
    EXPECT_EQ(ParseByteSize(FormatByteSize({bytes})), ByteSize{bytes}) << bytes;
  }
  EXPECT_EQ(FormatByteSize({512 << 20}), "512 MiB");
}

}  // namespace
}  // namespace spillway::config
