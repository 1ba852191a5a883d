#pragma once

#include <algorithm>
#include <cstdint>
#include <new>

#include <arrow/memory_pool.h>
#include <arrow/status.h>

namespace spillway::lake {

/// Memory of a pool for use within this thread. It is not initialised, and kept until more is asked
/// for.
class Scratch {
 public:
  /// How many bytes may be read after every run.
  static constexpr int64_t kSlack = 64;

  explicit Scratch(arrow::MemoryPool& pool) : pool_(&pool) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { Free(); }

  /// Replaces the previous run of bytes.
  uint8_t* Take(int64_t bytes) {
    if (bytes + kSlack <= capacity_) return data_;
    const int64_t capacity = std::max(bytes + kSlack, capacity_ + capacity_ / 2);
    Free();
    if (!pool_->Allocate(capacity, &data_).ok()) throw std::bad_alloc();
    capacity_ = capacity;
    return data_;
  }

 private:
  void Free() {
    if (data_ != nullptr) pool_->Free(data_, capacity_);
    data_ = nullptr;
    capacity_ = 0;
  }

  arrow::MemoryPool* pool_;
  uint8_t* data_ = nullptr;
  int64_t capacity_ = 0;
};

}  // namespace spillway::lake
