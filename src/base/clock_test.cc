#include "base/clock.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "base/manual_clock.h"

namespace spillway {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

TEST(FormatTimestamp, WritesRfc3339InUtcWithMicroseconds) {
  EXPECT_EQ(FormatTimestamp(Timestamp()), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(FormatTimestamp(Timestamp(microseconds(1))), "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(FormatTimestamp(Timestamp(seconds(1'769'903'999) + microseconds(1))),
            "2026-01-31T23:59:59.000001Z");
  EXPECT_EQ(FormatTimestamp(Timestamp(seconds(951'782'400))), "2000-02-29T00:00:00.000000Z");
  EXPECT_EQ(FormatTimestamp(Timestamp(microseconds(-1))), "1969-12-31T23:59:59.999999Z");
}

TEST(SystemClock, DoesNotStandStill) {
  SystemClock clock;
  const Timestamp before = clock.Now();
  EXPECT_GT(before, Timestamp(seconds(1'700'000'000)));
  clock.SleepFor(microseconds(10), {});
  EXPECT_NE(clock.Now(), before);
}

// A sleep that did not end early would run into the test's time limit.
TEST(SystemClock, SleepEndsWhenStopIsRequested) {
  SystemClock clock;
  std::stop_source stop;
  std::jthread sleeper([&] { clock.SleepFor(hours(24), stop.get_token()); });
  stop.request_stop();
  sleeper.join();
  clock.SleepFor(hours(24), stop.get_token());
}

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock(Timestamp(seconds(100)));
  EXPECT_EQ(clock.Now(), Timestamp(seconds(100)));
  std::atomic<bool> awake = false;
  std::jthread sleeper([&] {
    clock.SleepFor(hours(1), {});
    awake = true;
  });
  for (int minutes = 0; minutes < 59; ++minutes) {
    clock.Advance(seconds(60));
    EXPECT_FALSE(awake);
  }
  while (!awake) clock.Advance(seconds(60));
}

}  // namespace
}  // namespace spillway
