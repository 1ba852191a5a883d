#include "batch/recycling_pool.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <arrow/status.h>

namespace spillway::batch {
namespace {

constexpr int64_t kKeptBytesMin = 4096;

bool IsKept(int64_t bytes, int64_t alignment) {
  return bytes >= kKeptBytesMin && alignment <= arrow::kDefaultBufferAlignment;
}

/// Sizes are rounded up to one of four between two powers of two, so that the next batch, a little
/// larger, finds the memory of the last.
int64_t Rounded(int64_t bytes) {
  const auto step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes)) / 4);
  return (bytes + step - 1) / step * step;
}

}  // namespace

RecyclingPool::RecyclingPool(int64_t idle_bytes_max, arrow::MemoryPool& source)
    : idle_bytes_max_(idle_bytes_max), source_(source) {}

RecyclingPool::~RecyclingPool() { ReleaseUnused(); }

void RecyclingPool::Count(int64_t bytes) {
  const int64_t now = bytes_ += bytes;
  if (bytes > 0) bytes_total_ += bytes;
  int64_t most = bytes_most_;
  while (now > most && !bytes_most_.compare_exchange_weak(most, now)) continue;
}

arrow::Status RecyclingPool::Allocate(int64_t bytes, int64_t alignment, uint8_t** out) {
  ++allocations_;
  if (!IsKept(bytes, alignment)) {
    ARROW_RETURN_NOT_OK(source_.Allocate(bytes, alignment, out));
    Count(bytes);
    return arrow::Status::OK();
  }
  const int64_t rounded = Rounded(bytes);
  {
    std::lock_guard lock(mutex_);
    const auto kept = idle_.find(rounded);
    if (kept != idle_.end() && !kept->second.empty()) {
      *out = kept->second.back();
      kept->second.pop_back();
      idle_bytes_ -= rounded;
      Count(bytes);
      return arrow::Status::OK();
    }
  }
  ARROW_RETURN_NOT_OK(source_.Allocate(rounded, arrow::kDefaultBufferAlignment, out));
  Count(bytes);
  return arrow::Status::OK();
}

arrow::Status RecyclingPool::Reallocate(int64_t old_bytes, int64_t bytes, int64_t alignment,
                                        uint8_t** memory) {
  const bool kept = IsKept(bytes, alignment);
  if (kept && IsKept(old_bytes, alignment) && Rounded(old_bytes) == Rounded(bytes)) {
    Count(bytes - old_bytes);
    return arrow::Status::OK();
  }
  uint8_t* moved = nullptr;
  ARROW_RETURN_NOT_OK(Allocate(bytes, alignment, &moved));
  std::memcpy(moved, *memory, static_cast<size_t>(std::min(old_bytes, bytes)));
  Free(*memory, old_bytes, alignment);
  *memory = moved;
  return arrow::Status::OK();
}

void RecyclingPool::Free(uint8_t* memory, int64_t bytes, int64_t alignment) {
  Count(-bytes);
  if (!IsKept(bytes, alignment)) return source_.Free(memory, bytes, alignment);
  const int64_t rounded = Rounded(bytes);
  {
    std::lock_guard lock(mutex_);
    if (idle_bytes_ + rounded <= idle_bytes_max_) {
      idle_[rounded].push_back(memory);
      idle_bytes_ += rounded;
      return;
    }
  }
  source_.Free(memory, rounded, arrow::kDefaultBufferAlignment);
}

void RecyclingPool::ReleaseUnused() {
  std::lock_guard lock(mutex_);
  for (const auto& [bytes, blocks] : idle_) {
    for (uint8_t* block : blocks) source_.Free(block, bytes, arrow::kDefaultBufferAlignment);
  }
  idle_.clear();
  idle_bytes_ = 0;
}

int64_t RecyclingPool::idle_bytes() const {
  std::lock_guard lock(mutex_);
  return idle_bytes_;
}

}  // namespace spillway::batch
