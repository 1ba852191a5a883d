#include "base/random.h"

#include <array>

#include <gtest/gtest.h>

namespace spillway {
namespace {

TEST(Random, TheSeedDecidesEverything) {
  Random one(42);
  Random same(42);
  Random other(43);
  EXPECT_EQ(one.Next(), same.Next());
  EXPECT_EQ(one.Hex(20), same.Hex(20));
  EXPECT_NE(one.Next(), other.Next());
}

TEST(Random, FirstNumberOfASeedIsTheStandardsOwn) {
  // [rand.predef]: the 10000th number of a default-seeded mt19937_64.
  Random random(5489);
  uint64_t number = 0;
  for (int i = 0; i < 10'000; ++i) number = random.Next();
  EXPECT_EQ(number, 9981545732273789042u);
}

TEST(Random, BelowReachesAllAndNoMore) {
  Random random(1);
  std::array<int, 5> seen = {};
  for (int i = 0; i < 1000; ++i) ++seen.at(random.Below(5));
  for (const int count : seen) EXPECT_GT(count, 100);
  EXPECT_EQ(random.Below(1), 0u);
}

TEST(Random, FractionsSpreadOverTheUnitInterval) {
  Random random(1);
  double sum = 0;
  for (int i = 0; i < 1000; ++i) {
    const double fraction = random.Fraction();
    EXPECT_GE(fraction, 0.0);
    EXPECT_LT(fraction, 1.0);
    sum += fraction;
  }
  EXPECT_NEAR(sum / 1000, 0.5, 0.05);
}

TEST(Random, HexHasAsManyDigitsAsAsked) {
  Random random = Random::FromEntropy();
  const std::string text = random.Hex(33);
  EXPECT_EQ(text.size(), 33u);
  EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(random.Hex(0), "");
  EXPECT_NE(random.Hex(32), Random::FromEntropy().Hex(32));
}

}  // namespace
}  // namespace spillway
