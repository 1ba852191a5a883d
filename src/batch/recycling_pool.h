#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <arrow/memory_pool.h>

namespace spillway::batch {

/// Memory for batches that come and go: what is freed is kept and handed out again, so that the
/// kernel does not clear the same pages for every batch. Outlives the batches. Thread-safe.
class RecyclingPool final : public arrow::MemoryPool {
 public:
  /// Keeps at most `idle_bytes_max` that nobody uses.
  explicit RecyclingPool(int64_t idle_bytes_max,
                         arrow::MemoryPool& source = *arrow::default_memory_pool());
  ~RecyclingPool() override;

  using MemoryPool::Allocate;
  using MemoryPool::Free;
  using MemoryPool::Reallocate;
  arrow::Status Allocate(int64_t bytes, int64_t alignment, uint8_t** out) override;
  arrow::Status Reallocate(int64_t old_bytes, int64_t bytes, int64_t alignment,
                           uint8_t** memory) override;
  void Free(uint8_t* memory, int64_t bytes, int64_t alignment) override;
  void ReleaseUnused() override;

  int64_t bytes_allocated() const override { return bytes_; }
  int64_t max_memory() const override { return bytes_most_; }
  int64_t total_bytes_allocated() const override { return bytes_total_; }
  int64_t num_allocations() const override { return allocations_; }
  std::string backend_name() const override { return "recycling " + source_.backend_name(); }

  int64_t idle_bytes() const;

 private:
  void Count(int64_t bytes);

  const int64_t idle_bytes_max_;
  arrow::MemoryPool& source_;
  mutable std::mutex mutex_;
  int64_t idle_bytes_ = 0;
  std::unordered_map<int64_t, std::vector<uint8_t*>>
      idle_;  ///< By size; the last freed goes first.
  std::atomic<int64_t> bytes_ = 0, bytes_most_ = 0, bytes_total_ = 0, allocations_ = 0;
};

}  // namespace spillway::batch
