#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"

namespace spillway::envelope {

/// Wraps the bytes of one run so that the wrapped runs, joined in order, are one valid file: gzip
/// members, zstd frames, zip members. One thread at a time.
class Wrapper {
 public:
  virtual ~Wrapper() = default;
  /// Consumes `bytes`; wrapped bytes are appended to `out`, which the caller may drain between
  /// calls.
  virtual Result<> Append(std::span<const std::byte> bytes, Buffer& out) = 0;
  /// Ends the run.
  virtual Result<> Finish(Buffer& out) = 0;
};

/// A compression of single files. Immutable, thread-safe.
class Envelope {
 public:
  virtual ~Envelope() = default;
  virtual std::string_view extension() const = 0;  ///< ".gz"
  virtual Result<std::unique_ptr<Wrapper>> NewWrapper() const = 0;
};

/// gzip (RFC 1952), one member a run. Level 1 (fast) to 9 (small).
Result<std::unique_ptr<Envelope>> NewGzipEnvelope(int level);
/// zstd (RFC 8878), one frame a run. Level 1 to 19.
Result<std::unique_ptr<Envelope>> NewZstdEnvelope(int level);
/// Bytes as they are.
std::unique_ptr<Envelope> NewPlainEnvelope();

}  // namespace spillway::envelope
