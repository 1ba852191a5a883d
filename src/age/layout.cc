#include "age/layout.h"

#include <fmt/format.h>

namespace spillway::age {

Result<uint64_t> PlainBytes(uint64_t sealed, uint64_t header) {
  const uint64_t before = header + kNonceBytes;
  const uint64_t payload = sealed < before ? 0 : sealed - before;
  const uint64_t segments =
      payload / kSealedSegmentBytes + (payload % kSealedSegmentBytes > 0 ? 1 : 0);
  // Only the file without plain bytes has an empty segment.
  const uint64_t least =
      segments > 1 ? (segments - 1) * kSealedSegmentBytes + kTagBytes + 1 : kTagBytes;
  if (payload < least)
    return Fail(ErrorCode::kCorrupt,
                fmt::format("the age file was cut: no whole one has {} bytes", sealed));
  return payload - kTagBytes * segments;
}

}  // namespace spillway::age
