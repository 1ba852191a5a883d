#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>

namespace spillway {

/// Growing bytes for hot loops: growth does not initialise, and kSlack bytes after the end may
/// always be overwritten, so that kernels copy in whole vector registers. Not thread-safe.
class Buffer {
 public:
  static constexpr size_t kSlack = 64;

  Buffer() = default;
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&&) noexcept = default;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t capacity() const { return capacity_; }
  char* data() { return data_.get(); }
  const char* data() const { return data_.get(); }
  std::string_view view() const { return {data_.get(), size_}; }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(data_.get(), size_)); }

  /// Room for `more` bytes (and the slack) after the end; returns the end. Follow with Advance.
  char* Reserve(size_t more) {
    if (size_ + more + kSlack > capacity_) Grow(size_ + more + kSlack);
    return data_.get() + size_;
  }
  void Advance(size_t written) { size_ += written; }

  void Append(std::string_view text) {
    if (text.empty()) return;  // its data may be null
    std::memcpy(Reserve(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  void Append(std::span<const std::byte> more) {
    Append(std::string_view(reinterpret_cast<const char*>(more.data()), more.size()));
  }

  /// Keeps the memory.
  void Clear() { size_ = 0; }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };

  void Grow(size_t needed) {
    size_t capacity = capacity_ + capacity_ / 2;
    if (capacity < needed) capacity = needed;
    char* grown = static_cast<char*>(std::realloc(data_.get(), capacity));
    if (grown == nullptr) throw std::bad_alloc();
    static_cast<void>(data_.release());
    data_.reset(grown);
    capacity_ = capacity;
  }

  std::unique_ptr<char, Free> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace spillway
