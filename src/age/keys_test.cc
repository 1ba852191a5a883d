#include "age/keys.h"

#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "age/bech32.h"

namespace spillway::age {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Of C2SP's vectors, with the recipient that age-keygen -y prints for it.
constexpr std::string_view kIdentity =
    "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";

template <class T>
concept Streamed = requires(std::ostream& out, const T& value) { out << value; };
static_assert(!Streamed<Identity> && !fmt::is_formattable<Identity>::value);

std::string Padded(std::string_view prefix, size_t bytes) {
  const std::string data(bytes, 'k');
  return ToBech32(prefix, {reinterpret_cast<const uint8_t*>(data.data()), data.size()}).Reveal();
}

TEST(KeysTest, KeysAreReadBackFromTheirTexts) {
  const auto identity = *Identity::Generate();
  const std::string text = identity.ToText().Reveal();
  EXPECT_THAT(text, ::testing::MatchesRegex("AGE-SECRET-KEY-1[0-9A-Z]{58}"));
  const auto read = Identity::Parse(text);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->ToText().Reveal(), text);
  EXPECT_EQ(read->recipient(), identity.recipient());

  const std::string recipient = identity.recipient().ToText();
  EXPECT_THAT(recipient, ::testing::MatchesRegex("age1[0-9a-z]{58}"));
  EXPECT_EQ(*Recipient::Parse(recipient), identity.recipient());
}

TEST(KeysTest, EachGeneratedIdentityIsAnother) {
  EXPECT_NE(Identity::Generate()->ToText().Reveal(), Identity::Generate()->ToText().Reveal());
}

struct Refusal {
  std::string text;
  ErrorCode code;
  std::string says;
};

TEST(KeysTest, RecipientsOfOtherKindsAreRefusedByName) {
  const Refusal refusals[] = {
      {Padded("age1pq", 1216), ErrorCode::kUnsupported, "post-quantum"},
      {Padded("age1tag", 33), ErrorCode::kUnsupported, "hardware tag (age1tag1…)"},
      {Padded("age1tagpq", 1249), ErrorCode::kUnsupported, "hardware tag (age1tagpq1…)"},
      {Padded("age1yubikey", 33), ErrorCode::kUnsupported, "plugin"},
      {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN a@b",
       ErrorCode::kUnsupported, "SSH key"},
      {"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ", ErrorCode::kUnsupported, "SSH key"},
      {std::string(kIdentity), ErrorCode::kInvalidArgument, "secret key"},
      {Padded("age", 31), ErrorCode::kInvalidArgument, "no age recipient"},
      {Padded("bc", 32), ErrorCode::kInvalidArgument, "no age recipient"},
      {"", ErrorCode::kInvalidArgument, "no age recipient"},
      {"age1", ErrorCode::kInvalidArgument, "too short"},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.text.substr(0, 20));
    const auto parsed = Recipient::Parse(refusal.text);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_EQ(parsed.error().code, refusal.code);
    EXPECT_THAT(parsed.error().message, HasSubstr(refusal.says));
    EXPECT_THAT(parsed.error().message, HasSubstr("give an X25519 recipient"));
  }
}

TEST(KeysTest, IdentitiesOfOtherKindsAreRefusedByName) {
  const Refusal refusals[] = {
      {Padded("age-secret-key-pq-", 32), ErrorCode::kUnsupported, "post-quantum"},
      {Padded("age-plugin-yubikey-", 20), ErrorCode::kUnsupported, "plugin"},
      {"-----BEGIN OPENSSH PRIVATE KEY-----", ErrorCode::kUnsupported, "SSH key"},
      {Padded("age", 32), ErrorCode::kInvalidArgument, "recipient, which opens nothing"},
      {Padded("age-secret-key-", 33), ErrorCode::kInvalidArgument, "no age identity"},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.text.substr(0, 20));
    const auto parsed = Identity::Parse(refusal.text);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_EQ(parsed.error().code, refusal.code);
    EXPECT_THAT(parsed.error().message, HasSubstr(refusal.says));
    EXPECT_THAT(parsed.error().message, HasSubstr("give an X25519 identity"));
  }
}

TEST(KeysTest, ErrorsDoNotShowTheKey) {
  std::string changed(kIdentity);
  changed.back() = changed.back() == 'Q' ? 'P' : 'Q';
  for (const std::string& text : {changed, changed.substr(0, 40), std::string(kIdentity) + " "}) {
    const auto parsed = Identity::Parse(text);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_THAT(parsed.error().message, Not(HasSubstr("EGTZ")));
    EXPECT_THAT(Recipient::Parse(text).error().message, Not(HasSubstr("EGTZ")));
  }
}

// RFC 7748, section 6.1: with these, whoever holds whatever secret has the same shared one.
TEST(KeysTest, PointsOfLowOrderAreNoRecipients) {
  PublicKey key = {};
  for (uint8_t first : {0, 1}) {
    key[0] = first;
    const auto parsed = Recipient::Parse(Recipient(key).ToText());
    ASSERT_FALSE(parsed.has_value());
    EXPECT_THAT(parsed.error().message, HasSubstr("same secret"));
  }
}

TEST(KeysTest, AFileMayHaveSeveralIdentitiesAndComments) {
  const auto first = *Identity::Generate();
  const auto second = *Identity::Generate();
  const std::string file =
      fmt::format("# created: 2026-11-30\n# public key: {}\n{}\n\n\r\n# another\r\n{}\r\n",
                  first.recipient().ToText(), first.ToText().Reveal(), second.ToText().Reveal());
  const auto identities = ParseIdentities(file);
  ASSERT_TRUE(identities.has_value()) << identities.error().message;
  ASSERT_EQ(identities->size(), 2U);
  EXPECT_EQ((*identities)[0].recipient(), first.recipient());
  EXPECT_EQ((*identities)[1].recipient(), second.recipient());
  // The last line's end may be missing.
  EXPECT_EQ(ParseIdentities(first.ToText().Reveal())->size(), 1U);
}

TEST(KeysTest, AFileWithoutIdentitiesOrWithWrongOnesIsRefused) {
  EXPECT_THAT(ParseIdentities("# nothing\n").error().message, HasSubstr("no identity"));
  EXPECT_THAT(ParseIdentities("").error().message, HasSubstr("no identity"));
  const auto wrong = ParseIdentities(fmt::format("# one\n{}\nAGE-SECRET-KEY-1X\n", kIdentity));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error().message, ::testing::StartsWith("line 3: "));
}

}  // namespace
}  // namespace spillway::age
