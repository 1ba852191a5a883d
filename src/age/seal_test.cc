#include "age/seal.h"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "age/sealed_file_fixture.h"

namespace spillway::age {
namespace {

using ::testing::HasSubstr;

class SealTest : public ::testing::Test {
 protected:
  std::vector<Recipient> RecipientsOf(size_t count) const {
    return std::vector<Recipient>(count, identities_[0].recipient());
  }

  const std::vector<Identity> identities_ = {*Identity::Generate()};
};

TEST_F(SealTest, AFileHasTheSizeThatIsForetoldAndOpens) {
  std::mt19937_64 random(1);
  for (size_t recipients : {1, 2, 64}) {
    for (size_t bytes : {0, 1, 65'535, 65'536, 65'537, 131'072, 131'073, 1'000'000}) {
      const std::string plain = Noise(bytes, random);
      const std::string sealed = Seal(plain, RecipientsOf(recipients));
      ASSERT_EQ(sealed.size(), SealedBytes(bytes, recipients)) << bytes;
      EXPECT_EQ(*PlainBytes(sealed.size(), HeaderBytes(recipients)), bytes);
      const Opened opened = Open(sealed, identities_);
      ASSERT_FALSE(opened.error.has_value()) << opened.error->message;
      ASSERT_TRUE(opened.released == plain) << bytes;
    }
  }
  EXPECT_EQ(SealedBytes(1'000'000'000, 1), 1'000'244'328U);
}

TEST_F(SealTest, SizesThatNoFileHasAreRefused) {
  const uint64_t begin = HeaderBytes(1) + kNonceBytes;
  for (uint64_t sealed :
       {uint64_t{0}, begin - 1, begin, begin + 15, begin + kSealedSegmentBytes + 1,
        begin + kSealedSegmentBytes + 16, begin + 3 * kSealedSegmentBytes + 16}) {
    const auto plain = PlainBytes(sealed, HeaderBytes(1));
    ASSERT_FALSE(plain.has_value()) << sealed;
    EXPECT_EQ(plain.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_EQ(*PlainBytes(begin + kSealedSegmentBytes + 17, HeaderBytes(1)), kSegmentBytes + 1);
}

TEST_F(SealTest, PiecesOfAnySizeMakeTheSameFileAndWholeSegmentsDoNotWait) {
  std::mt19937_64 random(2);
  const std::string plain = Noise(200'000, random);
  for (size_t piece : {1, 7, 4'096, 65'536, 65'537, 150'000}) {
    const Opened opened = Open(Seal(plain, RecipientsOf(1), piece), identities_, piece);
    ASSERT_FALSE(opened.error.has_value()) << opened.error->message;
    ASSERT_TRUE(opened.released == plain) << piece;
  }
  Buffer out;
  auto sealer = *Sealer::Begin(RecipientsOf(1), out);
  ASSERT_TRUE(sealer.Append(AsBytes(plain), out).has_value());
  EXPECT_EQ(out.size(), HeaderBytes(1) + kNonceBytes + 3 * kSealedSegmentBytes);
}

TEST_F(SealTest, AppendsAfterWhatTheBufferHolds) {
  Buffer out;
  out.Append(std::string_view("before"));
  auto sealer = *Sealer::Begin(RecipientsOf(1), out);
  ASSERT_TRUE(sealer.Append(AsBytes("text"), out).has_value());
  ASSERT_TRUE(sealer.Finish(out).has_value());
  ASSERT_TRUE(out.view().starts_with("before"));
  EXPECT_EQ(Open(out.view().substr(6), identities_).released, "text");
}

TEST_F(SealTest, TheSameBytesAreNeverSealedInTheSameWay) {
  const std::string first = Seal("text", RecipientsOf(1));
  const std::string second = Seal("text", RecipientsOf(1));
  EXPECT_NE(first.substr(22, 98), second.substr(22, 98));
  EXPECT_NE(first.substr(HeaderBytes(1), kNonceBytes), second.substr(HeaderBytes(1), kNonceBytes));
  EXPECT_NE(first.substr(HeaderBytes(1) + kNonceBytes),
            second.substr(HeaderBytes(1) + kNonceBytes));
}

TEST_F(SealTest, EveryRecipientOpensAndNobodyElse) {
  const std::vector<Identity> others = {*Identity::Generate(), *Identity::Generate(),
                                        *Identity::Generate()};
  std::vector<Recipient> recipients;
  for (const Identity& identity : others) recipients.push_back(identity.recipient());
  const std::string sealed = Seal("text", recipients);
  for (const Identity& identity : others) EXPECT_EQ(Open(sealed, {identity}).released, "text");
  // Among several identities, wherever it stands.
  EXPECT_EQ(Open(sealed, {identities_[0], others[2]}).released, "text");
  for (const auto& strangers : {identities_, std::vector<Identity>{}}) {
    const Opened refused = Open(sealed, strangers);
    ASSERT_TRUE(refused.error.has_value());
    EXPECT_EQ(refused.error->code, ErrorCode::kPermissionDenied);
    EXPECT_THAT(refused.error->message, HasSubstr("none of these identities"));
  }
}

TEST_F(SealTest, NeedsOneRecipientAndAtMost64) {
  Buffer out;
  for (size_t count : {0, 65}) {
    const auto sealer = Sealer::Begin(RecipientsOf(count), out);
    ASSERT_FALSE(sealer.has_value());
    EXPECT_EQ(sealer.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace spillway::age
