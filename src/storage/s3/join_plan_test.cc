#include "storage/s3/join_plan.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spillway::storage::s3 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Extent At(const std::string& key, uint64_t offset, uint64_t bytes) {
  return {.range = {key, offset, bytes}, .etag = "e"};
}

std::vector<JoinPart> Plan(const std::vector<Extent>& extents) { return PlanJoin(extents, 5, 20); }

TEST(PlanJoin, CopiesWhatIsLongEnough) {
  EXPECT_THAT(Plan({}), IsEmpty());
  EXPECT_THAT(Plan({At("a", 0, 0)}), IsEmpty());
  EXPECT_THAT(Plan({At("a", 2, 5), At("b", 0, 20)}),
              ElementsAre(JoinPart{At("a", 2, 5)}, JoinPart{At("b", 0, 20)}));
}

TEST(PlanJoin, TheLastPartMayBeShort) {
  EXPECT_THAT(Plan({At("a", 0, 8), At("b", 0, 1)}),
              ElementsAre(JoinPart{At("a", 0, 8)}, JoinPart{At("b", 0, 1)}));
}

TEST(PlanJoin, ShortExtentsAreReadWithWhatFollows) {
  EXPECT_THAT(Plan({At("a", 0, 3), At("b", 0, 9), At("c", 0, 4)}),
              ElementsAre(JoinPart{At("a", 0, 3), At("b", 0, 2)}, JoinPart{At("b", 2, 7)},
                          JoinPart{At("c", 0, 4)}));
}

TEST(PlanJoin, NeighboursInOneObjectAreOneExtent) {
  EXPECT_THAT(Plan({At("a", 0, 2), At("a", 2, 1), At("a", 3, 2)}),
              ElementsAre(JoinPart{At("a", 0, 5)}));
}

TEST(PlanJoin, LongExtentsAreCutWithoutAShortRest) {
  EXPECT_THAT(
      Plan({At("a", 0, 22), At("b", 0, 6)}),
      ElementsAre(JoinPart{At("a", 0, 17)}, JoinPart{At("a", 17, 5)}, JoinPart{At("b", 0, 6)}));
}

TEST(PlanJoin, ALastPartThatMayNotBeShortTakesFromTheOneBefore) {
  const auto plan = [](const std::vector<Extent>& extents) {
    return PlanJoin(extents, 5, 20, LastPart::kFull);
  };
  EXPECT_THAT(plan({At("a", 0, 8), At("b", 0, 1)}),
              ElementsAre(JoinPart{At("a", 0, 8), At("b", 0, 1)}));
  EXPECT_THAT(plan({At("a", 0, 9), At("b", 0, 1)}),
              ElementsAre(JoinPart{At("a", 0, 5)}, JoinPart{At("a", 5, 4), At("b", 0, 1)}));
  EXPECT_THAT(plan({At("a", 0, 2), At("b", 0, 5)}),
              ElementsAre(JoinPart{At("a", 0, 2), At("b", 0, 5)}));
  EXPECT_THAT(plan({At("a", 0, 2)}), ElementsAre(JoinPart{At("a", 0, 2)}));
}

TEST(PlanJoin, AnyExtentsKeepTheirBytesAndTheRules) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::vector<Extent> extents;
    std::vector<std::pair<std::string, uint64_t>> expected;
    for (size_t i = random() % 12; i > 0; --i) {
      const std::string key(1, static_cast<char>('a' + random() % 3));
      extents.push_back(At(key, random() % 9, random() % (random() % 2 == 0 ? 6 : 60)));
      for (uint64_t at = 0; at < extents.back().range.bytes; ++at)
        expected.emplace_back(key, extents.back().range.offset + at);
    }
    const LastPart last = round % 2 == 0 ? LastPart::kFull : LastPart::kMayBeShort;
    const bool full = last == LastPart::kFull && expected.size() >= 5;
    const std::vector<JoinPart> parts = PlanJoin(extents, 5, 20, last);
    std::vector<std::pair<std::string, uint64_t>> got;
    for (const JoinPart& part : parts) {
      const bool is_last = &part == &parts.back();
      EXPECT_LE(BytesOf(part), 20u);
      EXPECT_TRUE(BytesOf(part) >= 5u || (is_last && !full));
      if (part.size() > 1) {
        EXPECT_LE(BytesOf(part), is_last && full ? 9u : 5u);
      }
      for (const Extent& extent : part) {
        for (uint64_t at = 0; at < extent.range.bytes; ++at)
          got.emplace_back(extent.range.key, extent.range.offset + at);
      }
    }
    EXPECT_EQ(got, expected);
  }
}

}  // namespace
}  // namespace spillway::storage::s3
