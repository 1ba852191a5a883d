#include "engine/retry.h"

#include <set>

#include <gtest/gtest.h>

namespace spillway::engine {
namespace {

using std::chrono::milliseconds;

Options MakeOptions() {
  Options options;
  options.backoff_base = milliseconds(100);
  options.backoff_max = milliseconds(1'000);
  return options;
}

Error Transient() {
  return {.code = ErrorCode::kUnavailable, .message = "away", .retryable = true};
}

TEST(ShouldRetry, TransientErrorsHaveThreeAttempts) {
  const Options options;
  EXPECT_TRUE(ShouldRetry(Transient(), 1, options));
  EXPECT_TRUE(ShouldRetry(Transient(), 2, options));
  EXPECT_FALSE(ShouldRetry(Transient(), 3, options));
}

TEST(ShouldRetry, PermanentErrorsHaveOne) {
  EXPECT_FALSE(ShouldRetry({.code = ErrorCode::kCorrupt}, 1, Options{}));
}

TEST(Backoff, DoublesBetweenHalfAndWhole) {
  const Options options = MakeOptions();
  Random random(1);
  for (int64_t attempts = 1; attempts <= 4; ++attempts) {
    const milliseconds whole = options.backoff_base * (int64_t{1} << (attempts - 1));
    for (int i = 0; i < 200; ++i) {
      const milliseconds pause = Backoff(Transient(), attempts, options, random);
      EXPECT_GE(pause, whole / 2);
      EXPECT_LE(pause, whole);
    }
  }
}

TEST(Backoff, IsBoundedHoweverManyAttemptsThereWere) {
  const Options options = MakeOptions();
  Random random(1);
  for (int64_t attempts : {5, 40, 1'000'000}) {
    const milliseconds pause = Backoff(Transient(), attempts, options, random);
    EXPECT_GE(pause, options.backoff_max / 2);
    EXPECT_LE(pause, options.backoff_max);
  }
}

TEST(Backoff, SpreadsThoseWhoFailedTogether) {
  Random random(1);
  std::set<milliseconds> pauses;
  for (int i = 0; i < 100; ++i) pauses.insert(Backoff(Transient(), 4, MakeOptions(), random));
  EXPECT_GT(pauses.size(), 50U);
}

TEST(Backoff, WaitsAsLongAsTheOtherSideAsked) {
  Error error = Transient();
  error.retry_after = milliseconds(90'000);
  Random random(1);
  EXPECT_EQ(Backoff(error, 1, MakeOptions(), random), milliseconds(90'000));
}

}  // namespace
}  // namespace spillway::engine
