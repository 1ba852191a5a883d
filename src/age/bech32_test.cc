#include "age/bech32.h"

#include <cctype>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spillway::age {
namespace {

std::span<const uint8_t> Unsigned(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// BIP 173's valid strings. Its limit of 90 characters is not ours.
TEST(Bech32Test, ReadsAndWritesThePublishedStrings) {
  for (
      std::string_view text :
      {"A12UEL5L", "a12uel5l",
       "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
       "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
       "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
       "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", "?1ezyfcl",
       "an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pv"
       "x"}) {
    const auto decoded = FromBech32(text);
    ASSERT_TRUE(decoded.has_value()) << text << ": " << decoded.error().message;
    std::string lower(text);
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(ToBech32(decoded->prefix, Unsigned(decoded->data.Reveal())).Reveal(), lower);
  }
}

// BIP 173's invalid strings, and BIP 350's, whose checksum has another constant.
TEST(Bech32Test, RefusesThePublishedWrongStrings) {
  for (std::string_view text :
       {"\x20"
        "1nwldj5",
        "\x7F"
        "1axkwrx",
        "\x80"
        "1eym55h",
        "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "de1lg7wt\xFF", "A1G7SGD8",
        "10a06t8", "1qzzfhee",  //
        "A1LQFN3A", "a1lqfn3a", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx", "?1v759aa"}) {
    const auto decoded = FromBech32(text);
    ASSERT_FALSE(decoded.has_value()) << text;
    EXPECT_EQ(decoded.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

TEST(Bech32Test, RefusesUpperAndLowerCaseInOneText) {
  EXPECT_FALSE(FromBech32("A12uel5l").has_value());
}

TEST(Bech32Test, RefusesEachChangedCharacter) {
  const std::string text = ToBech32("age", Unsigned("0123456789abcdef0123456789abcdef")).Reveal();
  ASSERT_TRUE(FromBech32(text).has_value());
  for (size_t at = 0; at < text.size(); ++at) {
    for (char c : std::string_view("qpzry9x8gf2tvdw0s3jn54khce6mua7lQ1b")) {
      std::string changed = text;
      changed[at] = c;
      if (changed == text) continue;
      EXPECT_FALSE(FromBech32(changed).has_value()) << changed;
    }
  }
}

// Their checksums are right: a sixth group that only pads, and bits that are not zero.
TEST(Bech32Test, RefusesWhatDoesNotEndAsBytesDo) {
  for (std::string_view text : {"a1q3g6mn3", "a1qpamnt9j", "a1qqqd87cpp"}) {
    const auto decoded = FromBech32(text);
    ASSERT_FALSE(decoded.has_value()) << text;
    EXPECT_THAT(decoded.error().message, ::testing::HasSubstr("whole bytes")) << text;
  }
}

}  // namespace
}  // namespace spillway::age
