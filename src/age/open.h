#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "age/keys.h"
#include "age/layout.h"
#include "age/primitives.h"
#include "base/buffer.h"
#include "base/error.h"

/// Errors of both: kCorrupt for what was changed or cut, or is no age file; kPermissionDenied where
/// none of the identities opens it; kUnsupported for armor, passphrases (scrypt), post-quantum and
/// hardware recipients. They do not name the file, which only the caller knows.
namespace spillway::age {

/// Opens the bytes of one age v1 file as they come, from its first. One thread at a time.
class Opener {
 public:
  explicit Opener(std::vector<Identity> identities) : identities_(std::move(identities)) {}

  /// Consumes `sealed`; plain bytes are appended to `out`, which the caller may drain between calls,
  /// once their segment is authentic. What was appended before an error is authentic too, but not
  /// the whole file; after an error every call fails in the same way.
  Result<> Append(Bytes sealed, Buffer& out);

  /// The file ends here. Only success says that it is whole.
  Result<> Finish(Buffer& out);

 private:
  Result<> Take(Bytes sealed, Buffer& out);
  Result<> TakeSegments(Bytes sealed, Buffer& out);
  Result<> End(Buffer& out);
  /// False when it is not authentic.
  Result<bool> Open(Bytes segment, bool last, Buffer& out);
  Result<> Kept(Result<> result);

  std::vector<Identity> identities_;
  std::optional<Cipher> cipher_;  ///< Once the header is open.
  uint64_t number_ = 0;           ///< Of the next segment.
  bool ended_ = false;            ///< The last segment was opened.
  std::optional<Error> error_;
  Buffer waiting_;  ///< Of the header with the nonce, or of a segment.
};

/// Opens parts of one age v1 file that can be read anywhere. One thread at a time.
class RangeOpener {
 public:
  /// Fills `into` with the file's bytes from `offset`; returns how many there are, fewer only at its
  /// end.
  using ReadAt = std::function<Result<size_t>(uint64_t offset, std::span<std::byte> into)>;

  /// Reads the header and the last segment, by at most three calls of `read`; `sealed` is the size
  /// of the file. Only what opens as the last segment shows that the size is right.
  static Result<RangeOpener> Open(ReadAt read, uint64_t sealed,
                                  std::span<const Identity> identities);

  /// Plain bytes.
  uint64_t size() const { return size_; }

  /// Appends the plain bytes [offset, offset + bytes) to `out`. Reads exactly the segments they are
  /// in, by one call of `read`, into memory of that size. kInvalidArgument beyond size(); after any
  /// error `out` is as it was.
  Result<> Read(uint64_t offset, uint64_t bytes, Buffer& out);

 private:
  RangeOpener(ReadAt read, Cipher cipher, uint64_t begin, uint64_t size)
      : read_(std::move(read)), cipher_(std::move(cipher)), begin_(begin), size_(size) {}

  /// Opens segments into the memory after the end of `out`, and returns where they begin.
  Result<char*> OpenSegments(uint64_t first, uint64_t last, Buffer& out);

  ReadAt read_;
  Cipher cipher_;
  uint64_t begin_;  ///< Of the first segment.
  uint64_t size_;
};

}  // namespace spillway::age
