#include "base/digest.h"

#include <string>

#include <gtest/gtest.h>

namespace spillway {
namespace {

std::span<const std::byte> BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

// The values of FIPS 180-4's examples.
TEST(Sha256, MatchesThePublishedValues) {
  EXPECT_EQ(ToHex(Sha256Of("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(ToHex(Sha256Of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(ToHex(Sha256Of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, PiecesMakeTheSameValueAsTheWhole) {
  const std::string million(1'000'000, 'a');
  Sha256 hash;
  size_t from = 0;
  for (size_t step = 1; from < million.size(); step = step * 3 + 1) {
    const std::string_view piece = std::string_view(million).substr(from, step);
    hash.Update(BytesOf(piece));
    from += piece.size();
  }
  hash.Update({});
  EXPECT_EQ(ToHex(hash.Finish()),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, MovesWithItsState) {
  Sha256 hash;
  hash.Update(BytesOf("a"));
  Sha256 moved = std::move(hash);
  moved.Update(BytesOf("bc"));
  EXPECT_EQ(moved.Finish(), Sha256Of("abc"));
}

TEST(ToHex, WritesLowerCase) {
  const uint8_t bytes[] = {0x00, 0x0f, 0xa5, 0xff};
  EXPECT_EQ(ToHex(bytes), "000fa5ff");
  EXPECT_EQ(ToHex({}), "");
}

TEST(Crc32, IsThatOfGzipAndContinues) {
  EXPECT_EQ(Crc32(0, BytesOf("123456789")), 0xcbf43926u);
  EXPECT_EQ(Crc32(0, {}), 0u);
  EXPECT_EQ(Crc32(Crc32(0, BytesOf("1234")), BytesOf("56789")), 0xcbf43926u);
}

TEST(Crc32c, IsCastagnolisAndContinues) {
  EXPECT_EQ(Crc32c(0, BytesOf("123456789")), 0xe3069283u);
  EXPECT_EQ(Crc32c(0, {}), 0u);
  EXPECT_EQ(Crc32c(Crc32c(0, BytesOf("1234")), BytesOf("56789")), 0xe3069283u);
}

}  // namespace
}  // namespace spillway
