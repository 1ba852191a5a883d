#include "age/bech32.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace spillway::age {
namespace {

constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr size_t kChecksumCharacters = 6;

/// The BCH code of BIP 173 over values of five bits.
class Checksum {
 public:
  explicit Checksum(std::string_view prefix) {
    for (char c : prefix) Add(static_cast<uint8_t>(c) >> 5);
    Add(0);
    for (char c : prefix) Add(static_cast<uint8_t>(c) & 31);
  }

  void Add(uint32_t value) {
    constexpr std::array<uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                                    0x2a1462b3};
    const uint32_t top = state_ >> 25;
    state_ = (state_ & 0x1ffffff) << 5 ^ value;
    for (size_t i = 0; i < kGenerator.size(); ++i) {
      if ((top >> i & 1) != 0) state_ ^= kGenerator[i];
    }
  }

  uint32_t state() const { return state_; }

 private:
  uint32_t state_ = 1;
};

std::unexpected<Error> Wrong(std::string what) {
  return Fail(ErrorCode::kInvalidArgument, std::move(what));
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

bool HasBothCases(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return c >= 'a' && c <= 'z'; }) &&
         std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// The bytes of groups of five bits, without the groups of the checksum.
Result<Redacted> BytesOf(std::string_view characters) {
  std::string bytes;
  bytes.reserve(characters.size() * 5 / 8);  // Growth would leave copies behind.
  uint32_t bits = 0;
  int held = 0;
  for (char c : characters) {
    bits = (bits << 5 | static_cast<uint32_t>(kAlphabet.find(c))) & 0xfff;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held);
  }
  Redacted data(std::move(bytes));
  if (held >= 5 || (bits & ((1U << held) - 1)) != 0)
    return Wrong("the text does not end as whole bytes do");
  return data;
}

}  // namespace

Redacted ToBech32(std::string_view prefix, std::span<const uint8_t> data) {
  std::string text;
  text.reserve(prefix.size() + 1 + (data.size() * 8 + 4) / 5 + kChecksumCharacters);
  text.append(prefix).append("1");
  Checksum checksum(prefix);
  const auto add = [&](uint32_t value) {
    checksum.Add(value);
    text += kAlphabet[value];
  };
  uint32_t bits = 0;
  int held = 0;
  for (uint8_t byte : data) {
    bits = (bits << 8 | byte) & 0xfff;
    for (held += 8; held >= 5;) {
      held -= 5;
      add(bits >> held & 31);
    }
  }
  if (held > 0) add(bits << (5 - held) & 31);
  for (size_t i = 0; i < kChecksumCharacters; ++i) checksum.Add(0);
  const uint32_t sum = checksum.state() ^ 1;
  for (size_t i = 0; i < kChecksumCharacters; ++i) {
    text += kAlphabet[sum >> (5 * (kChecksumCharacters - 1 - i)) & 31];
  }
  return Redacted(std::move(text));
}

Result<Bech32> FromBech32(std::string_view text) {
  if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; }))
    return Wrong("the text has a character that no key has");
  if (HasBothCases(text)) return Wrong("the text has upper and lower case");
  const Redacted lower(Lower(text));
  const std::string_view whole = lower.Reveal();
  const size_t separator = whole.rfind('1');
  if (separator == std::string_view::npos || separator == 0)
    return Wrong("the text does not begin as a key does");
  const std::string_view prefix = whole.substr(0, separator);
  const std::string_view characters = whole.substr(separator + 1);
  if (characters.size() < kChecksumCharacters) return Wrong("the text is too short");
  Checksum checksum(prefix);
  for (char c : characters) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return Wrong("the text has a character that no key has");
    checksum.Add(static_cast<uint32_t>(value));
  }
  if (checksum.state() != 1) return Wrong("the text's checksum is wrong");
  const Redacted data = TRY(BytesOf(characters.substr(0, characters.size() - kChecksumCharacters)));
  return Bech32{.prefix = std::string(prefix), .data = data};
}

}  // namespace spillway::age
