#include "base/nearest_name.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace spillway {
namespace {

const std::vector<std::string> kKnown = {"threads",  "lease", "heartbeat",
                                         "attempts", "csv",   "json"};

TEST(NearestName, FindsWhatWasMeant) {
  EXPECT_EQ(NearestName("thread", kKnown), "threads");
  EXPECT_EQ(NearestName("heart_beat", kKnown), "heartbeat");
  EXPECT_EQ(NearestName("LEASE", kKnown), "lease");
  EXPECT_EQ(NearestName("attepmts", kKnown), "attempts");
}

TEST(NearestName, ASwapOfNeighboursCountsOnce) { EXPECT_EQ(NearestName("cvs", kKnown), "csv"); }

TEST(NearestName, SaysNothingWhereNothingIsNear) {
  EXPECT_EQ(NearestName("colour", kKnown), std::nullopt);
  EXPECT_EQ(NearestName("", kKnown), std::nullopt);
  EXPECT_EQ(NearestName("xyz", kKnown), std::nullopt);
  EXPECT_EQ(NearestName(std::string(100'000, 'a'), kKnown), std::nullopt);
  EXPECT_EQ(NearestName("lease", {}), std::nullopt);
}

TEST(NearestName, TheNearerWins) {
  const std::vector<std::string> zones = {"Europe/Vienna", "Europe/Berlin", "Europe/Bern"};
  EXPECT_EQ(NearestName("Europe/Berln", zones), "Europe/Berlin");
}

}  // namespace
}  // namespace spillway
