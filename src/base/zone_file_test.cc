#include "base/zone_file.h"

#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

namespace spillway {
namespace {

using std::chrono::seconds;

void Append(std::string& to, int64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    to += static_cast<char>(value >> shift & 0xff);
}

struct Change {
  int64_t at = 0;
  int clock = 0;
};

std::string Header(int64_t leaps, size_t times, size_t clocks, size_t characters) {
  std::string bytes = "TZif2" + std::string(15, '\0');
  for (const int64_t count : {int64_t{0}, int64_t{0}, leaps, static_cast<int64_t>(times),
                              static_cast<int64_t>(clocks), static_cast<int64_t>(characters)})
    Append(bytes, count, 4);
  return bytes;
}

/// A file with clocks AAA at +1 h and BBB at +2 h, and nothing in its part of version 1.
std::string Bytes(const std::vector<Change>& changes, const std::string& footer, int leaps = 0) {
  std::string bytes = Header(0, 0, 0, 0) + Header(leaps, changes.size(), 2, 8);
  for (const Change& change : changes) Append(bytes, change.at, 8);
  for (const Change& change : changes) Append(bytes, change.clock, 1);
  for (const int clock : {0, 1}) {
    Append(bytes, 3'600 * (clock + 1), 4);
    Append(bytes, clock, 1);
    Append(bytes, 4 * clock, 1);
  }
  bytes += std::string("AAA\0BBB\0", 8) + std::string(12 * static_cast<size_t>(leaps), '\0');
  return bytes + footer;
}

OffsetSpan SpanAt(const ZoneFile& file, int64_t at) {
  return file.SpanAt(date::sys_seconds(seconds(at)));
}

TEST(ZoneFile, ChangesThenTheRule) {
  const ZoneFile file =
      *ParseZoneFile(Bytes({{-100, 1}, {100, 0}}, "\nCET-1CEST,M3.5.0,M10.5.0/3\n"));
  EXPECT_EQ(SpanAt(file, -101).offset, seconds(3'600));
  EXPECT_EQ(SpanAt(file, -101).begin, OffsetSpan::kBeginning);
  EXPECT_EQ(SpanAt(file, -100).offset, seconds(7'200));
  EXPECT_EQ(SpanAt(file, -100).abbreviation, "BBB");
  EXPECT_EQ(SpanAt(file, 99).end, date::sys_seconds(seconds(100)));
  EXPECT_EQ(SpanAt(file, 100).abbreviation, "CET");
  EXPECT_EQ(SpanAt(file, 100).begin, date::sys_seconds(seconds(100)));
  EXPECT_EQ(SpanAt(file, 100).end, date::sys_days(date::year(1970) / 3 / 29) + seconds(3'600));
}

TEST(ZoneFile, WithoutARuleTheLastClockStays) {
  const ZoneFile file = *ParseZoneFile(Bytes({{0, 1}}, "\n\n"));
  EXPECT_EQ(SpanAt(file, 1).abbreviation, "BBB");
  EXPECT_EQ(SpanAt(file, 1).end, OffsetSpan::kEnd);
}

TEST(ZoneFile, WithoutChangesTheRuleIsAll) {
  const ZoneFile file = *ParseZoneFile(Bytes({}, "\n<+03>-3\n"));
  EXPECT_EQ(SpanAt(file, -1'000'000'000'000).abbreviation, "+03");
}

TEST(ZoneFile, RefusesWhatIsNone) {
  const auto problem = [](const std::string& bytes) {
    const auto file = ParseZoneFile(bytes);
    return file.has_value() ? "none" : file.error().message;
  };
  const std::string good = Bytes({{0, 1}}, "\nUTC0\n");
  EXPECT_EQ(problem(good), "none");
  EXPECT_EQ(problem(""), "it does not begin as a TZif file does");
  EXPECT_EQ(problem("Zone"), "it does not begin as a TZif file does");
  EXPECT_EQ(problem(good.substr(0, 80)), "it is cut short");
  EXPECT_EQ(problem(good.substr(0, good.size() - 1)), "it has no rule for the future at its end");
  EXPECT_EQ(problem(Bytes({{0, 1}}, "\nCET\n")), "the rule at its end is none of POSIX");
  EXPECT_EQ(problem(Bytes({{0, 2}}, "\nUTC0\n")),
            "it has a change to a clock that it does not list");
  EXPECT_EQ(problem(Bytes({{1, 1}, {0, 0}}, "\nUTC0\n")), "its changes are not in order");
  EXPECT_EQ(problem(Bytes({{0, 1}}, "\nUTC0\n", 1)), "it counts leap seconds");
}

TEST(ZoneFile, BytesChangedAtRandomAreReadOrRefused) {
  std::ifstream in("/usr/share/zoneinfo/Europe/Berlin", std::ios::binary);
  const std::string berlin{std::istreambuf_iterator<char>(in), {}};
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = berlin.substr(0, i % 4 == 0 ? random() % berlin.size() : berlin.size());
    for (int changes = 0; !bytes.empty() && changes < 4; ++changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto file = ParseZoneFile(bytes);
    if (file.has_value()) SpanAt(*file, 4'000'000'000);
  }
}

}  // namespace
}  // namespace spillway
