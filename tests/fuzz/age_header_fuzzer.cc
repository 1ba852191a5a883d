// A sealed file comes from a store that others may write to. Any bytes may be given: as a file, they are refused in one
// line or opened, as a stream of any pieces and by ranges to the same; as the stanzas of a header whose MAC is right,
// likewise; as segments that are authentic in themselves, they are opened only if they are all and in order; and as plain
// bytes, they are sealed and opened to the same.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "age/base64.h"
#include "age/header.h"
#include "age/open.h"
#include "age/seal.h"

namespace spillway::age {
namespace {

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "age_header_fuzzer: %s\n", what);
  std::abort();
}

Bytes AsBytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Of C2SP's vectors, so that these are seeds.
const std::vector<Identity>& Identities() {
  static const std::vector<Identity> kIdentities = *ParseIdentities(
      "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0");
  return kIdentities;
}

void RequireKnown(const Error& error) {
  Require(error.code == ErrorCode::kCorrupt || error.code == ErrorCode::kUnsupported ||
              error.code == ErrorCode::kPermissionDenied,
          "refused with another code");
  Require(error.message.find('\n') == std::string::npos, "an error of several lines");
}

Result<> Stream(std::string_view sealed, size_t piece, Buffer& out) {
  Opener opener(Identities());
  for (size_t at = 0; at < sealed.size(); at += piece)
    TRY(opener.Append(AsBytes(sealed.substr(at, piece)), out));
  return opener.Finish(out);
}

/// Whether the file opens; then `plain` is what it opens to.
bool Opens(std::string_view sealed, size_t piece, Buffer& plain) {
  const auto whole = Stream(sealed, sealed.size() + 1, plain);
  Buffer pieces;
  const auto streamed = Stream(sealed, piece, pieces);
  Require(whole.has_value() == streamed.has_value(), "opens in some pieces, and not in others");
  Require(plain.view() == pieces.view(), "other bytes out of other pieces");
  if (!whole) RequireKnown(whole.error());

  auto opener = RangeOpener::Open(
      [&](uint64_t offset, std::span<std::byte> into) -> Result<size_t> {
        if (offset >= sealed.size()) return size_t{0};
        const size_t count = std::min<size_t>(into.size(), sealed.size() - offset);
        std::memcpy(into.data(), sealed.data() + offset, count);
        return count;
      },
      sealed.size(), Identities());
  if (!opener) {
    RequireKnown(opener.error());
    Require(!whole.has_value(), "opens as a stream, and not by ranges");
    return false;
  }
  Buffer all;
  const auto read = opener->Read(0, opener->size(), all);
  Require(read.has_value() == whole.has_value(), "opens in one way, and not in the other");
  if (!read) return false;
  Require(all.view() == plain.view(), "other bytes by ranges");
  const uint64_t from = opener->size() / 3;
  all.Clear();
  Require(opener->Read(from, opener->size() - from, all).has_value() &&
              all.view() == plain.view().substr(from),
          "a range is no slice");
  return true;
}

const FileKey& KnownFileKey() {
  static const FileKey kKnown = [] {
    FileKey key;
    key.bytes.fill(7);
    return key;
  }();
  return kKnown;
}

/// A file whose header has the stanza of our identity, those that are given, and a right MAC.
std::string WithStanzas(std::string_view stanzas, std::string_view payload) {
  static const std::string kOurs =
      *WriteHeader(KnownFileKey(), std::vector<Recipient>{Identities()[0].recipient()});
  std::string header = kOurs.substr(0, kOurs.rfind("---"));
  header.append(stanzas).append("---");
  const Mac mac = *HmacSha256(*Hkdf(KnownFileKey().bytes, {}, "header"), header);
  return header.append(" ").append(ToBase64(mac)).append("\n").append(payload);
}

/// Each three bytes are a segment: its number, whether it is the last one, and its length.
void CheckSegments(std::string_view segments, size_t piece) {
  constexpr size_t kSegmentsMax = 6;
  const std::string nonce(kNonceBytes, 'n');
  Cipher cipher = *PayloadCipher(KnownFileKey(), AsBytes(nonce), Cipher::Direction::kSeal);
  std::string payload = nonce;
  bool valid = false, ended = false, whole = true;
  for (uint64_t place = 0; segments.size() >= 3 && place < kSegmentsMax; ++place) {
    const auto number = static_cast<uint64_t>(segments[0] & 7);
    const bool last = (segments[1] & 1) != 0;
    const size_t length =
        (segments[2] & 1) != 0 ? kSegmentBytes : static_cast<uint8_t>(segments[2]);
    segments.remove_prefix(3);
    whole = whole && !ended && number == place && (last || length == kSegmentBytes) &&
            (length > 0 || place == 0);
    ended = last;
    valid = whole && ended;
    const std::string plain(length, 'p');
    std::string sealed(length + kTagBytes, '\0');
    Require(cipher.Seal(number, last, AsBytes(plain), reinterpret_cast<uint8_t*>(sealed.data()))
                .has_value(),
            "did not seal a segment");
    payload += sealed;
  }
  Buffer plain;
  Require(Opens(WithStanzas("", payload), piece, plain) == valid,
          valid ? "refused segments that are whole" : "opened segments that are not whole");
}

void CheckSealing(std::string_view plain, size_t piece) {
  Buffer sealed;
  const std::vector<Recipient> recipients = {Identities()[0].recipient()};
  auto sealer = *Sealer::Begin(recipients, sealed);
  for (size_t at = 0; at < plain.size(); at += piece)
    Require(sealer.Append(AsBytes(plain.substr(at, piece)), sealed).has_value(), "did not seal");
  Require(sealer.Finish(sealed).has_value(), "did not finish");
  Require(sealed.size() == SealedBytes(plain.size(), 1), "another size than was foretold");
  Buffer opened;
  Require(Opens(sealed.view(), piece, opened) && opened.view() == plain,
          "did not open to the same");
}

}  // namespace
}  // namespace spillway::age

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spillway::age;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t piece = 1 + data[1] * size_t{257};
  spillway::Buffer plain;
  switch (data[0] % 4) {
    case 0:
      // A file that opens is sealed again, and opens to the same.
      if (Opens(bytes, piece, plain)) CheckSealing(plain.view(), piece);
      break;
    case 1: {
      // Stanzas, an empty line that ends them here alone, and a payload.
      const size_t end = bytes.find("\n\n\n");
      const std::string_view stanzas =
          bytes.substr(0, end == std::string_view::npos ? end : end + 1);
      const std::string_view rest = end == std::string_view::npos ? "" : bytes.substr(end + 3);
      Opens(WithStanzas(stanzas, rest), piece, plain);
      break;
    }
    case 2:
      CheckSegments(bytes, piece);
      break;
    default:
      // Long enough for several segments, out of few bytes.
      std::string text;
      const size_t wanted = std::min<size_t>(bytes.size() * 4'096, 300'000);
      while (!bytes.empty() && text.size() < wanted) text += bytes;
      text.resize(wanted);
      CheckSealing(text, piece);
  }
  return 0;
}
