#pragma once

#include <cstdint>
#include <span>

#include "age/keys.h"
#include "age/layout.h"
#include "age/primitives.h"
#include "base/buffer.h"
#include "base/error.h"

namespace spillway::age {

/// Seals the bytes of one age v1 file, which has SealedBytes. Each has a file key of its own out of
/// OpenSSL's randomness, so that bytes that are made again, and differ, are never sealed with a key
/// that has been used. One thread at a time.
class Sealer {
 public:
  /// Appends the header to `out`. kInvalidArgument without recipients, or with more than
  /// kStanzasMax.
  static Result<Sealer> Begin(std::span<const Recipient> recipients, Buffer& out);

  /// Consumes `plain`; whole segments are appended to `out`, which the caller may drain between
  /// calls. Less than a segment waits for what follows, or for Finish.
  Result<> Append(Bytes plain, Buffer& out);

  /// Ends the file. After it, or after an error, the object may be used for nothing else.
  Result<> Finish(Buffer& out);

 private:
  explicit Sealer(Cipher cipher) : cipher_(std::move(cipher)) {}

  Result<> Seal(Bytes plain, bool last, Buffer& out);

  Cipher cipher_;
  uint64_t number_ = 0;  ///< Of the next segment.
  Buffer waiting_;       ///< kSegmentBytes at most: the last segment is sealed as such.
};

}  // namespace spillway::age
