#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "storage/object_store.h"

namespace spillway::storage {

/// The most bytes one write(2) is given: larger ones cost twice the time a byte.
inline constexpr size_t kMaxWriteBytes = size_t{1} << 20;

/// Pieces yet to be written, handed out in runs that one writev(2) takes.
class PendingPieces {
 public:
  explicit PendingPieces(std::span<const Bytes> pieces) : pieces_(pieces) {}

  /// The next bytes, at most kMaxWriteBytes, or nothing; valid until the next call.
  std::span<const iovec> Next() {
    size_t count = 0;
    size_t room = kMaxWriteBytes;
    size_t skip = written_of_first_;
    for (size_t i = 0; i < pieces_.size() && count < vectors_.size() && room > 0; ++i, skip = 0) {
      const Bytes rest = pieces_[i].subspan(skip);
      if (rest.empty()) continue;
      const size_t taken = std::min(rest.size(), room);
      // iovec is shared with readv, so its pointer is not const; pwritev does not write through it.
      vectors_[count++] = {const_cast<std::byte*>(rest.data()), taken};
      room -= taken;
    }
    return {vectors_.data(), count};
  }

  /// Says how many bytes of what Next returned were written.
  void Advance(size_t written) {
    while (!pieces_.empty() && written >= pieces_.front().size() - written_of_first_) {
      written -= pieces_.front().size() - written_of_first_;
      written_of_first_ = 0;
      pieces_ = pieces_.subspan(1);
    }
    written_of_first_ += written;
  }

 private:
  std::span<const Bytes> pieces_;
  size_t written_of_first_ = 0;
  std::array<iovec, 16> vectors_;
};

}  // namespace spillway::storage
