#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/buffer.h"
#include "base/error.h"

namespace spillway::envelope {

/// What stands around the deflated bytes (RFC 1951).
enum class Framing {
  kRaw,   ///< Nothing: zip.
  kGzip,  ///< A gzip header without name and time, and a trailer (RFC 1952).
};

/// Deflates one run of bytes as it comes. The same bytes give the same output on the same machine,
/// however they are cut into calls; levels 1 to 3 may give another on a CPU with other
/// instructions. Not thread-safe.
class DeflateStream {
 public:
  virtual ~DeflateStream() = default;
  /// Deflated bytes are appended to `out`.
  virtual Result<> Append(std::span<const std::byte> bytes, Buffer& out) = 0;
  virtual Result<> Finish(Buffer& out) = 0;
};

/// Levels 1 to 3 are ISA-L's, made for speed; 4 to 9 are zlib's, made for size. On a core of 2.6
/// GHz and message exports as CSV (MB/s of input, output / input):
///
///     level    1     2     3     4     6     9
///     MB/s   370   340   255    25    20    11
///     size  .500  .479  .472  .466  .454  .449
///
/// kInvalidArgument for any other level.
Result<std::unique_ptr<DeflateStream>> NewDeflateStream(int level, Framing framing);

}  // namespace spillway::envelope
