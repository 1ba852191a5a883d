#pragma once

#include <cstddef>
#include <cstdint>

#include "age/primitives.h"
#include "base/error.h"

/// Where the bytes of an age v1 file are: a header, a nonce, and segments that are all full but the
/// last one.
namespace spillway::age {

constexpr size_t kSegmentBytes = 65'536;  ///< Of plain bytes.
constexpr size_t kSealedSegmentBytes = kSegmentBytes + kTagBytes;
constexpr size_t kNonceBytes = 16;

/// What this room opens; each stanza costs an X25519 before anything of a file is authenticated.
constexpr size_t kHeaderBytesMax = 65'536;
constexpr size_t kStanzasMax = 64;

/// Of a header that Sealer writes. Those of others may have more stanzas.
constexpr uint64_t HeaderBytes(size_t recipients) { return 70 + 98 * recipients; }

/// Segments of so many plain bytes: one for none.
constexpr uint64_t Segments(uint64_t plain) {
  return plain == 0 ? 1 : (plain - 1) / kSegmentBytes + 1;
}

/// Of a whole file that Sealer writes for `plain` bytes.
constexpr uint64_t SealedBytes(uint64_t plain, size_t recipients) {
  return HeaderBytes(recipients) + kNonceBytes + plain + kTagBytes * Segments(plain);
}

/// The plain bytes of a file of `sealed` bytes, the first `header` of which are its header. kCorrupt
/// when no file has that size. Only a claim, until the last segment has been opened as such.
Result<uint64_t> PlainBytes(uint64_t sealed, uint64_t header);

}  // namespace spillway::age
