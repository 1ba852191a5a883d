#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "base/error.h"

namespace spillway::lake {

/// The text of a batch, which grows. Not initialised.
class TextBuffer {
 public:
  /// Bytes after the end that may be overwritten.
  static constexpr int64_t kSlack = 64;
  /// Offsets into the text are 32 bits wide.
  static constexpr int64_t kBytesMax = INT32_MAX - kSlack;

  /// Where the next value goes. A copy of it in locals makes loops fast.
  class Tail {
   public:
    int64_t left() const { return end_ - next_; }
    int32_t size() const { return static_cast<int32_t>(next_ - begin_); }
    /// Adds a value that fits; kSlack bytes after `from` must be readable.
    void Append(const uint8_t* from, int64_t bytes) {
      for (int64_t at = 0; at < bytes; at += 16) std::memcpy(next_ + at, from + at, 16);
      next_ += bytes;
    }

   private:
    friend class TextBuffer;
    uint8_t* begin_ = nullptr;
    uint8_t* next_ = nullptr;
    uint8_t* end_ = nullptr;
  };

  Result<> Start(int64_t bytes, arrow::MemoryPool& pool) {
    auto buffer = arrow::AllocateResizableBuffer(bytes + kSlack, &pool);
    if (!buffer.ok()) {
      return FailTransient(ErrorCode::kUnavailable,
                           "reading the lake: " + buffer.status().message());
    }
    buffer_ = *std::move(buffer);
    tail_.begin_ = tail_.next_ = buffer_->mutable_data();
    tail_.end_ = tail_.begin_ + bytes;
    return {};
  }

  Tail tail() const { return tail_; }
  void set_tail(const Tail& tail) { tail_ = tail; }

  /// Makes room for `more` bytes after the tail.
  bool Grow(Tail& tail, int64_t more) {
    const int64_t size = tail.size();
    const int64_t capacity = std::max((tail.end_ - tail.begin_) * 2, size + more);
    if (size + more > kBytesMax) return false;
    if (!buffer_->Resize(capacity + kSlack, false).ok()) return false;
    tail.begin_ = buffer_->mutable_data();
    tail.next_ = tail.begin_ + size;
    tail.end_ = tail.begin_ + capacity;
    return true;
  }

  bool Append(const uint8_t* from, int64_t bytes) {
    if (bytes > tail_.left() && !Grow(tail_, bytes)) [[unlikely]]
      return false;
    tail_.Append(from, bytes);
    return true;
  }

  int32_t size() const { return tail_.size(); }

  std::shared_ptr<arrow::Buffer> Finish() {
    // Cannot fail: it only notes the length.
    static_cast<void>(buffer_->Resize(tail_.size(), false));
    return std::move(buffer_);
  }

 private:
  std::shared_ptr<arrow::ResizableBuffer> buffer_;
  Tail tail_;
};

}  // namespace spillway::lake
