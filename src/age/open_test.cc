#include "age/open.h"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "age/sealed_file_fixture.h"

namespace spillway::age {
namespace {

using ::testing::HasSubstr;

class OpenTest : public ::testing::Test {
 protected:
  void ExpectRefused(std::string_view sealed, const std::string& what) {
    EXPECT_TRUE(Open(sealed, identities_).error.has_value()) << what << ", as a stream";
    EXPECT_TRUE(OpenByRange(sealed, identities_).error.has_value()) << what << ", by ranges";
  }

  std::string Sealed(std::string_view plain) const { return Seal(plain, recipients_); }

  std::mt19937_64 random_{1};
  const std::vector<Identity> identities_ = {*Identity::Generate()};
  const std::vector<Recipient> recipients_ = {identities_[0].recipient()};
};

TEST_F(OpenTest, EveryFlippedBitIsRefused) {
  const std::string sealed = Sealed("a small file");
  for (size_t at = 0; at < sealed.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = sealed;
      changed[at] = static_cast<char>(changed[at] ^ 1 << bit);
      const Opened opened = Open(changed, identities_);
      ASSERT_TRUE(opened.error.has_value()) << "byte " << at << " bit " << bit;
      EXPECT_EQ(opened.released, "");
      ASSERT_TRUE(OpenByRange(changed, identities_).error.has_value())
          << "byte " << at << " bit " << bit;
    }
  }
}

TEST_F(OpenTest, FlippedBitsOfLaterSegmentsAreRefusedAndNothingOfTheseIsReleased) {
  const std::string plain = Noise(3 * kSegmentBytes, random_);
  const std::string sealed = Sealed(plain);
  const size_t begin = sealed.size() - 3 * kSealedSegmentBytes;
  for (size_t segment : {0, 1, 2}) {
    for (size_t at : {size_t{0}, kSegmentBytes - 1, kSegmentBytes, kSealedSegmentBytes - 1}) {
      std::string changed = sealed;
      changed[begin + segment * kSealedSegmentBytes + at] ^= 4;
      const Opened opened = Open(changed, identities_, 10'000);
      ASSERT_TRUE(opened.error.has_value());
      EXPECT_EQ(opened.error->code, ErrorCode::kCorrupt);
      EXPECT_TRUE(opened.released == plain.substr(0, segment * kSegmentBytes));
    }
  }
}

TEST_F(OpenTest, CutAnywhereIsRefused) {
  const std::string small = Sealed("a small file");
  for (size_t bytes = 0; bytes < small.size(); ++bytes)
    ExpectRefused(std::string_view(small).substr(0, bytes), std::to_string(bytes));
  for (size_t plain : {size_t{0}, kSegmentBytes, kSegmentBytes + 1, 2 * kSegmentBytes}) {
    const std::string sealed = Sealed(Noise(plain, random_));
    const size_t begin = HeaderBytes(1) + kNonceBytes;
    for (size_t segment = 0; begin + segment * kSealedSegmentBytes < sealed.size(); ++segment) {
      for (size_t more : {0, 1, 15, 16, 17, 65'535, 65'536, 65'551}) {
        const size_t bytes = begin + segment * kSealedSegmentBytes + more;
        if (bytes < sealed.size())
          ExpectRefused(std::string_view(sealed).substr(0, bytes), std::to_string(bytes));
      }
    }
  }
}

TEST_F(OpenTest, TwoFilesAreNotOne) {
  for (size_t first : {size_t{0}, size_t{5}, kSegmentBytes, kSegmentBytes + 1}) {
    const std::string plain = Noise(first, random_);
    const std::string sealed = Sealed(plain);
    for (size_t second : {size_t{0}, size_t{5}, kSegmentBytes}) {
      SCOPED_TRACE(std::to_string(first) + " and " + std::to_string(second));
      ExpectRefused(sealed + Sealed(Noise(second, random_)), "joined");
      // The second one's segments without its header.
      ExpectRefused(sealed + Sealed(Noise(second, random_)).substr(HeaderBytes(1) + kNonceBytes),
                    "segments of another");
    }
  }
}

TEST_F(OpenTest, SegmentsThatChangeTheirPlacesAreRefused) {
  const std::string sealed = Sealed(Noise(3 * kSegmentBytes, random_));
  const size_t begin = HeaderBytes(1) + kNonceBytes;
  const auto segment = [&](size_t n) {
    return sealed.substr(begin + n * kSealedSegmentBytes, kSealedSegmentBytes);
  };
  const std::string before = sealed.substr(0, begin);
  ExpectRefused(before + segment(1) + segment(0) + segment(2), "swapped");
  ExpectRefused(before + segment(0) + segment(2), "left out");
  ExpectRefused(before + segment(0) + segment(0) + segment(1) + segment(2), "twice");
}

TEST_F(OpenTest, AfterAnErrorNothingMoreIsReleased) {
  const std::string sealed = Sealed(Noise(3 * kSegmentBytes, random_));
  Buffer out;
  Opener opener(identities_);
  const size_t begin = HeaderBytes(1) + kNonceBytes;
  ASSERT_TRUE(opener.Append(AsBytes(sealed).first(begin), out).has_value());
  ASSERT_FALSE(opener.Append(AsBytes(std::string(kSealedSegmentBytes, 'x')), out).has_value());
  // What would have come in place of those.
  EXPECT_FALSE(opener.Append(AsBytes(sealed).subspan(begin), out).has_value());
  EXPECT_FALSE(opener.Finish(out).has_value());
  EXPECT_TRUE(out.empty());
}

TEST_F(OpenTest, WhatIsNoAgeFileIsToldAtOnce) {
  Buffer out;
  Opener opener(identities_);
  const auto refused = opener.Append(AsBytes("PK\x03\x04 and a zip's other bytes"), out);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(refused.error().message, HasSubstr("no age file"));
}

TEST_F(OpenTest, HeadersWithoutEndOrWithManyStanzasAreRefused) {
  std::string header = "age-encryption.org/v1\n";
  while (header.size() < 2 * kHeaderBytesMax) header += "-> grease\n\n";
  EXPECT_THAT(Open(header, identities_, 1'000).error->message, HasSubstr("no end within 65536"));
  EXPECT_THAT(OpenByRange(header, identities_).error->message, HasSubstr("no end within 65536"));

  header = "age-encryption.org/v1\n";
  for (size_t n = 0; n <= kStanzasMax; ++n) header += "-> grease\n\n";
  header += "--- " + std::string(43, 'A') + "\n" + std::string(32, 'x');
  EXPECT_THAT(Open(header, identities_).error->message, HasSubstr("more than 64 stanzas"));
}

/// The smallest header of the vectors' form with one more stanza, of `type`, in place of ours.
std::string FileOfOtherKind(const std::string& type) {
  return "age-encryption.org/v1\n-> " + type + " AAAA\nAAAA\n--- " + std::string(43, 'A') + "\n" +
         std::string(32, 'x');
}

TEST_F(OpenTest, OtherMeansAreRefusedByName) {
  for (const char* type : {"scrypt", "mlkem768x25519", "p256tag", "mlkem768p256tag"}) {
    const Opened opened = Open(FileOfOtherKind(type), identities_);
    EXPECT_EQ(opened.error->code, ErrorCode::kUnsupported);
    EXPECT_THAT(opened.error->message, HasSubstr(type));
  }
  EXPECT_EQ(Open(FileOfOtherKind("grease"), identities_).error->code, ErrorCode::kPermissionDenied);
}

TEST_F(OpenTest, LinesOfStanzasHaveAtMost64Characters) {
  const auto with_line = [&](size_t characters) {
    return Open("age-encryption.org/v1\n-> grease\n" + std::string(characters, 'A') + "\n--- " +
                    std::string(43, 'A') + "\n" + std::string(32, 'x'),
                identities_);
  };
  EXPECT_EQ(with_line(60).error->code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(with_line(68).error->message, HasSubstr("longer than 64 characters"));
}

TEST_F(OpenTest, RangesAreSlicesOfTheWhole) {
  for (size_t bytes : {0, 1, 65'535, 65'536, 65'537, 131'072, 131'073, 400'000}) {
    SCOPED_TRACE(bytes);
    const std::string plain = Noise(bytes, random_);
    const std::string sealed = Sealed(plain);
    FileInMemory file(sealed);
    auto opener = *RangeOpener::Open(file.reader(), sealed.size(), identities_);
    ASSERT_EQ(opener.size(), bytes);
    std::vector<uint64_t> edges = {0, 1, 65'535, 65'536, 65'537, 131'071, 131'072, bytes};
    std::erase_if(edges, [&](uint64_t edge) { return edge > bytes; });
    for (uint64_t from : edges) {
      for (uint64_t to : edges) {
        if (from > to) continue;
        Buffer out;
        out.Append(std::string_view("before"));
        file.calls = file.read = 0;
        ASSERT_TRUE(opener.Read(from, to - from, out).has_value()) << from << "–" << to;
        ASSERT_TRUE(out.view() == "before" + plain.substr(from, to - from)) << from << "–" << to;
        const uint64_t segments =
            from == to ? 0 : (to - 1) / kSegmentBytes - from / kSegmentBytes + 1;
        ASSERT_LE(file.calls, 1U);
        ASSERT_LE(file.read, segments * kSealedSegmentBytes);
      }
    }
    Buffer out;
    for (const auto& [from, count] : {std::pair<uint64_t, uint64_t>{0, bytes + 1},
                                      {bytes, 1},
                                      {bytes + 1, 0},
                                      {1, UINT64_MAX}}) {
      const auto beyond = opener.Read(from, count, out);
      ASSERT_FALSE(beyond.has_value()) << from << " " << count;
      EXPECT_EQ(beyond.error().code, ErrorCode::kInvalidArgument);
    }
    EXPECT_TRUE(out.empty());
  }
}

TEST_F(OpenTest, ASizeIsBelievedOnceTheLastSegmentIsOpen) {
  const std::string sealed = Sealed(Noise(3 * kSegmentBytes, random_));
  FileInMemory file(sealed);
  ASSERT_TRUE(RangeOpener::Open(file.reader(), sealed.size(), identities_).has_value());
  EXPECT_LE(file.read, 4'096 + kSealedSegmentBytes);
  for (size_t claimed : {sealed.size() - 1, sealed.size() - kSealedSegmentBytes, sealed.size() + 1,
                         sealed.size() + kSealedSegmentBytes}) {
    const auto opened = RangeOpener::Open(file.reader(), claimed, identities_);
    ASSERT_FALSE(opened.has_value()) << claimed;
    EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
    // Its bytes are missing, which is no matter of their being authentic.
    if (claimed == sealed.size() + kSealedSegmentBytes) {
      EXPECT_THAT(opened.error().message, HasSubstr("it has no end"));
    }
  }
}

TEST_F(OpenTest, ReadsOfBrokenSegmentsReleaseNothingAndOthersGoOn) {
  const std::string plain = Noise(3 * kSegmentBytes, random_);
  std::string sealed = Sealed(plain);
  sealed[HeaderBytes(1) + kNonceBytes + kSealedSegmentBytes] ^= 1;
  FileInMemory file(sealed);
  auto opener = *RangeOpener::Open(file.reader(), sealed.size(), identities_);
  Buffer out;
  EXPECT_EQ(opener.Read(0, plain.size(), out).error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(out.empty());
  ASSERT_TRUE(opener.Read(2 * kSegmentBytes + 1, 10, out).has_value());
  EXPECT_EQ(out.view(), plain.substr(2 * kSegmentBytes + 1, 10));
}

TEST_F(OpenTest, ErrorsOfReadingAreThoseOfTheReader) {
  const auto opened = RangeOpener::Open(
      [](uint64_t, std::span<std::byte>) -> Result<size_t> {
        return FailTransient(ErrorCode::kUnavailable, "the store does not answer");
      },
      1'000, identities_);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(opened.error().retryable);
}

TEST_F(OpenTest, RandomFilesPiecesAndRanges) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    // Near the edges of segments as often as anywhere.
    const size_t bytes =
        random() % 2 == 0
            ? random() % 400'000
            : std::max<int64_t>(0, static_cast<int64_t>(random() % 4 * kSegmentBytes) +
                                       static_cast<int64_t>(random() % 40) - 20);
    const std::string plain = Noise(bytes, random);
    std::vector<Identity> holders;
    std::vector<Recipient> recipients;
    for (size_t n = 1 + random() % 4; n > 0; --n) {
      holders.push_back(*Identity::Generate());
      recipients.push_back(holders.back().recipient());
    }
    const std::vector<Identity> holder = {holders[random() % holders.size()]};
    const std::string sealed = Seal(plain, recipients, 1 + random() % 200'000);
    ASSERT_EQ(sealed.size(), SealedBytes(bytes, recipients.size()));
    const Opened opened = Open(sealed, holder, 1 + random() % 200'000);
    ASSERT_FALSE(opened.error.has_value()) << opened.error->message;
    ASSERT_TRUE(opened.released == plain);

    FileInMemory file(sealed);
    auto ranges = *RangeOpener::Open(file.reader(), sealed.size(), holder);
    ASSERT_EQ(ranges.size(), bytes);
    for (int n = 0; n < 20; ++n) {
      const uint64_t from = random() % (bytes + 1);
      const uint64_t count = random() % (bytes - from + 1);
      Buffer out;
      ASSERT_TRUE(ranges.Read(from, count, out).has_value());
      ASSERT_TRUE(out.view() == std::string_view(plain).substr(from, count))
          << from << " " << count;
    }

    std::string changed = sealed;
    const size_t at = random() % sealed.size();
    changed[at] = static_cast<char>(changed[at] ^ 1 << random() % 8);
    const Opened refused = Open(changed, holder, 1 + random() % 200'000);
    ASSERT_TRUE(refused.error.has_value()) << "byte " << at;
    ASSERT_TRUE(plain.starts_with(refused.released));
  }
}

}  // namespace
}  // namespace spillway::age
