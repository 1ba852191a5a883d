#include "age/keys.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "age/bech32.h"

namespace spillway::age {
namespace {

constexpr std::string_view kRecipientPrefix = "age";
constexpr std::string_view kIdentityPrefix = "age-secret-key-";

std::unexpected<Error> Unsupported(std::string_view what, std::string_view instead) {
  return Fail(ErrorCode::kUnsupported, fmt::format("{} is not supported; {}", what, instead));
}
std::unexpected<Error> Invalid(std::string_view what, std::string_view instead) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{}; {}", what, instead));
}

constexpr std::string_view kGiveRecipient =
    "give an X25519 recipient, age1 and 58 characters, as age-keygen prints it";
constexpr std::string_view kGiveIdentity =
    "give an X25519 identity, AGE-SECRET-KEY-1 and 58 characters, as age-keygen prints it";

bool IsSshKey(std::string_view text) {
  return text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-") ||
         text.starts_with("-----BEGIN ");
}

std::string_view Data(const Bech32& decoded) { return decoded.data.Reveal(); }

}  // namespace

Result<Recipient> Recipient::Parse(std::string_view text) {
  if (IsSshKey(text)) return Unsupported("an SSH key as a recipient", kGiveRecipient);
  const auto decoded = FromBech32(text);
  if (!decoded)
    return Invalid(fmt::format("this is no age recipient: {}", decoded.error().message),
                   kGiveRecipient);
  const std::string_view prefix = decoded->prefix;
  if (prefix == "age1pq") return Unsupported("a post-quantum recipient (age1pq1…)", kGiveRecipient);
  if (prefix == "age1tag" || prefix == "age1tagpq")
    return Unsupported(fmt::format("a recipient of a hardware tag ({}1…)", prefix), kGiveRecipient);
  if (prefix.starts_with("age1")) return Unsupported("a recipient of a plugin", kGiveRecipient);
  if (prefix.starts_with(kIdentityPrefix))
    return Invalid("this is a secret key, and no recipient", kGiveRecipient);
  if (prefix != kRecipientPrefix || Data(*decoded).size() != kKeyBytes)
    return Invalid("this is no age recipient", kGiveRecipient);
  PublicKey key;
  std::ranges::copy(Data(*decoded), key.begin());
  // Whether a point is of low order is the same for every secret key.
  const std::optional<Key> shared = TRY(SharedSecret(PublicKey{1}, key));
  if (!shared)
    return Invalid("this recipient is a point that gives everybody the same secret",
                   kGiveRecipient);
  return Recipient(key);
}

std::string Recipient::ToText() const { return ToBech32(kRecipientPrefix, key_).Reveal(); }

Result<Identity> Identity::Generate() {
  std::string key(kKeyBytes, '\0');
  TRY(FillRandom({reinterpret_cast<uint8_t*>(key.data()), key.size()}));
  return Of(Redacted(std::move(key)));
}

Result<Identity> Identity::Of(const Redacted& key) {
  const PublicKey recipient = TRY(PublicKeyOf(KeyOf(key)));
  return Identity(key, Recipient(recipient));
}

Result<Identity> Identity::Parse(std::string_view text) {
  if (IsSshKey(text)) return Unsupported("an SSH key as an identity", kGiveIdentity);
  const auto decoded = FromBech32(text);
  if (!decoded)
    return Invalid(fmt::format("this is no age identity: {}", decoded.error().message),
                   kGiveIdentity);
  const std::string_view prefix = decoded->prefix;
  if (prefix == "age-secret-key-pq-")
    return Unsupported("a post-quantum identity (AGE-SECRET-KEY-PQ-1…)", kGiveIdentity);
  if (prefix.starts_with("age-plugin-"))
    return Unsupported("an identity of a plugin (AGE-PLUGIN-…)", kGiveIdentity);
  if (prefix == kRecipientPrefix)
    return Invalid("this is a recipient, which opens nothing", kGiveIdentity);
  if (prefix != kIdentityPrefix || Data(*decoded).size() != kKeyBytes)
    return Invalid("this is no age identity", kGiveIdentity);
  return Of(decoded->data);
}

Redacted Identity::ToText() const {
  const Redacted lower = ToBech32(kIdentityPrefix, key());
  std::string text = lower.Reveal();
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  }
  return Redacted(std::move(text));
}

Result<std::vector<Identity>> ParseIdentities(std::string_view file) {
  std::vector<Identity> identities;
  for (int number = 1; !file.empty(); ++number) {
    std::string_view line = file.substr(0, file.find('\n'));
    file.remove_prefix(std::min(file.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    auto identity = Identity::Parse(line);
    if (!identity)
      return std::unexpected(std::move(identity).error().Within(fmt::format("line {}", number)));
    identities.push_back(*std::move(identity));
  }
  if (identities.empty()) return Invalid("the file has no identity", kGiveIdentity);
  return identities;
}

}  // namespace spillway::age
