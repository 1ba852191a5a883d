#include "age/header.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "age/base64.h"
#include "age/layout.h"

namespace spillway::age {
namespace {

constexpr std::string_view kVersion = "age-encryption.org/v1\n";
constexpr std::string_view kAnyVersion = "age-encryption.org/";
constexpr std::string_view kStanzaStart = "-> ";
constexpr std::string_view kMacStart = "---";
constexpr std::string_view kX25519 = "X25519";
constexpr std::string_view kX25519Info = "age-encryption.org/v1/X25519";
constexpr size_t kColumns = 64;  ///< Of a full line of a stanza's body.
constexpr size_t kWrappedBytes = 16 + kTagBytes;

struct Stanza {
  std::vector<std::string_view> arguments;  ///< One at least: the type.
  std::string body;
};

struct Header {
  std::vector<Stanza> stanzas;
  std::string_view authenticated;  ///< What the MAC is of.
  std::string mac;
};

/// An X25519 stanza.
struct Wrapped {
  PublicKey share;
  std::string file_key;
};

std::unexpected<Error> Broken(std::string_view what) {
  return Fail(ErrorCode::kCorrupt, fmt::format("the age file's header is broken: {}", what));
}

/// Takes the next line off `text`, which ends with a line break.
std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(line.size() + 1);
  return line;
}

Result<std::vector<std::string_view>> ParseArguments(std::string_view text) {
  std::vector<std::string_view> arguments;
  while (true) {
    const std::string_view argument = text.substr(0, text.find(' '));
    if (argument.empty() ||
        !std::ranges::all_of(argument, [](char c) { return c > ' ' && c < 0x7f; }))
      return Broken("a stanza's arguments are not separated words");
    arguments.push_back(argument);
    if (argument.size() == text.size()) return arguments;
    text.remove_prefix(argument.size() + 1);
  }
}

/// Takes a body's lines, up to the first that is not full.
Result<std::string> TakeBody(std::string_view& text) {
  std::string encoded;
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    if (line.size() > kColumns) return Broken("a line of a stanza is longer than 64 characters");
    encoded += line;
    if (line.size() == kColumns) continue;
    auto body = FromBase64(encoded);
    if (!body) return Broken("a stanza's body is not canonical Base64");
    return *std::move(body);
  }
  return Broken("a stanza has no end");
}

Result<Header> Parse(std::string_view text) {
  const std::string_view whole = text;
  if (!text.starts_with(kVersion) || !text.ends_with('\n'))
    return Broken("it does not begin and end as one does");
  text.remove_prefix(kVersion.size());
  Header header;
  while (text.starts_with(kStanzaStart)) {
    if (header.stanzas.size() == kStanzasMax)
      return Broken(fmt::format("it has more than {} stanzas", kStanzasMax));
    auto arguments = TRY(ParseArguments(TakeLine(text).substr(kStanzaStart.size())));
    auto body = TRY(TakeBody(text));
    header.stanzas.push_back({.arguments = std::move(arguments), .body = std::move(body)});
  }
  if (header.stanzas.empty()) return Broken("it has no stanza");
  header.authenticated = whole.substr(0, whole.size() - text.size() + kMacStart.size());
  const std::string_view line = text.empty() ? text : TakeLine(text);
  if (!line.starts_with(kMacStart)) return Broken("a line is neither a stanza's nor the last one");
  auto mac = line.substr(kMacStart.size()).starts_with(' ')
                 ? FromBase64(line.substr(kMacStart.size() + 1))
                 : std::nullopt;
  if (!mac || mac->size() != sizeof(Mac) || !text.empty())
    return Broken("its last line has no MAC");
  header.mac = *std::move(mac);
  return header;
}

/// The X25519 stanzas. A file with one that is not as they are written is refused as a whole.
Result<std::vector<Wrapped>> WrappedIn(const Header& header) {
  std::vector<Wrapped> all;
  for (const Stanza& stanza : header.stanzas) {
    if (stanza.arguments[0] != kX25519) continue;
    const auto share =
        stanza.arguments.size() == 2 ? FromBase64(stanza.arguments[1]) : std::nullopt;
    if (!share || share->size() != kKeyBytes || stanza.body.size() != kWrappedBytes)
      return Broken("an X25519 stanza has not one share of 32 bytes and a body of 32");
    Wrapped wrapped{.share = {}, .file_key = stanza.body};
    std::ranges::copy(*share, wrapped.share.begin());
    all.push_back(std::move(wrapped));
  }
  return all;
}

/// The key that wraps a file key; nothing when `peer` is of low order.
Result<std::optional<Key>> WrapKey(std::span<const uint8_t, kKeyBytes> secret,
                                   const PublicKey& peer, const PublicKey& share,
                                   const PublicKey& recipient) {
  const std::optional<Key> shared = TRY(SharedSecret(secret, peer));
  if (!shared) return std::nullopt;
  std::array<uint8_t, 2 * kKeyBytes> salt;
  std::ranges::copy(recipient, std::ranges::copy(share, salt.begin()).out);
  return TRY(Hkdf(shared->bytes, salt, kX25519Info));
}

/// Nothing when it is wrapped for somebody else.
Result<std::optional<FileKey>> Unwrap(const Wrapped& wrapped, const Identity& identity) {
  const std::optional<Key> key =
      TRY(WrapKey(identity.key(), wrapped.share, wrapped.share, identity.recipient().key()));
  if (!key) return Broken("the share of an X25519 stanza is a point of low order");
  Cipher cipher = TRY(Cipher::New(*key, Cipher::Direction::kOpen));
  std::optional<FileKey> file_key(std::in_place);
  const Bytes body = std::as_bytes(std::span(wrapped.file_key));
  if (!TRY(cipher.Open(0, false, body, file_key->bytes.data()))) file_key.reset();
  return file_key;
}

Result<std::string> Wrap(const FileKey& file_key, const Recipient& recipient) {
  Key ephemeral;
  TRY(FillRandom(ephemeral.bytes));
  const PublicKey share = TRY(PublicKeyOf(ephemeral.bytes));
  const std::optional<Key> key =
      TRY(WrapKey(ephemeral.bytes, recipient.key(), share, recipient.key()));
  if (!key) return Fail(ErrorCode::kInvalidArgument, "a recipient is a point of low order");
  Cipher cipher = TRY(Cipher::New(*key, Cipher::Direction::kSeal));
  std::array<uint8_t, kWrappedBytes> body;
  TRY(cipher.Seal(0, false, std::as_bytes(std::span(file_key.bytes)), body.data()));
  return fmt::format("{}{} {}\n{}\n", kStanzaStart, kX25519, ToBase64(share), ToBase64(body));
}

Result<Mac> MacOf(const FileKey& file_key, std::string_view authenticated) {
  const Key key = TRY(Hkdf(file_key.bytes, {}, "header"));
  return HmacSha256(key, authenticated);
}

std::unexpected<Error> NoMatch(const Header& header) {
  const auto has = [&](std::string_view type) {
    return std::ranges::any_of(header.stanzas,
                               [&](const Stanza& stanza) { return stanza.arguments[0] == type; });
  };
  for (std::string_view type : {"mlkem768x25519", "p256tag", "mlkem768p256tag"}) {
    if (has(type))
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("the age file is sealed for recipients of the kind {}, which is not "
                              "supported, and for none of these identities; open it with age",
                              type));
  }
  return Fail(ErrorCode::kPermissionDenied,
              "the age file is sealed for none of these identities; give one of those it is for");
}

}  // namespace

Result<std::string> WriteHeader(const FileKey& file_key, std::span<const Recipient> recipients) {
  std::string header(kVersion);
  for (const Recipient& recipient : recipients) header += TRY(Wrap(file_key, recipient));
  header += kMacStart;
  const Mac mac = TRY(MacOf(file_key, header));
  return header.append(" ").append(ToBase64(mac)).append("\n");
}

Result<std::optional<size_t>> FindHeaderEnd(std::string_view bytes) {
  const std::string_view begin = bytes.substr(0, kVersion.size());
  if (begin == kVersion.substr(0, begin.size())) {
    bytes = bytes.substr(0, kHeaderBytesMax);
    // No line but the last begins like this.
    const size_t mac = bytes.find("\n---");
    const size_t end = mac == std::string_view::npos ? mac : bytes.find('\n', mac + 1);
    if (end != std::string_view::npos) return end + 1;
    if (bytes.size() < kHeaderBytesMax) return std::nullopt;
    return Broken(fmt::format("it has no end within {} bytes", kHeaderBytesMax));
  }
  const size_t text = bytes.find_first_not_of(" \t\r\n");
  constexpr std::string_view kArmor = "-----";
  if (text != std::string_view::npos && bytes.substr(text).starts_with(kArmor))
    return Fail(ErrorCode::kUnsupported,
                "the age file is armored (text, -----BEGIN …), which is not supported; give the "
                "binary file, as age writes it without armor");
  if (begin.size() < kVersion.size()) return std::nullopt;
  if (begin.ends_with('\r'))
    return Broken("its lines end with CR LF; was the file changed as if it were text?");
  if (begin.starts_with(kAnyVersion))
    return Fail(ErrorCode::kUnsupported,
                "the age file is of another version than age-encryption.org/v1, which alone is "
                "supported");
  return Fail(ErrorCode::kCorrupt, "this is no age file: it does not begin as one does");
}

Result<FileKey> OpenHeader(std::string_view text, std::span<const Identity> identities) {
  const Header header = TRY(Parse(text));
  for (const Stanza& stanza : header.stanzas) {
    if (stanza.arguments[0] == "scrypt")
      return Fail(ErrorCode::kUnsupported,
                  "the age file is sealed with a passphrase (scrypt), which is not supported; open "
                  "it with age");
  }
  const std::vector<Wrapped> all = TRY(WrappedIn(header));
  for (const Wrapped& wrapped : all) {
    for (const Identity& identity : identities) {
      const std::optional<FileKey> file_key = TRY(Unwrap(wrapped, identity));
      if (!file_key) continue;
      const Mac mac = TRY(MacOf(*file_key, header.authenticated));
      if (CRYPTO_memcmp(mac.data(), header.mac.data(), mac.size()) != 0)
        return Fail(ErrorCode::kCorrupt, "the age file's header was changed: its MAC is wrong");
      return *file_key;
    }
  }
  return NoMatch(header);
}

Result<Cipher> PayloadCipher(const FileKey& file_key, Bytes nonce, Cipher::Direction direction) {
  const Key key = TRY(Hkdf(
      file_key.bytes, {reinterpret_cast<const uint8_t*>(nonce.data()), nonce.size()}, "payload"));
  return Cipher::New(key, direction);
}

}  // namespace spillway::age
