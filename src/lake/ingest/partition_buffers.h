#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lake/ingest/ndjson_row.h"

namespace spillway::lake {

/// Rows of one partition, taken out of the buffers to become a file. Gives its memory back to the
/// budget when it goes.
class PartitionRows {
 public:
  PartitionRows(std::string organisation, int32_t day)
      : organisation_(std::move(organisation)), day_(day) {}

  const std::string& organisation() const { return organisation_; }
  int32_t day() const { return day_; }
  int64_t rows() const { return static_cast<int64_t>(entries_.size()); }

  /// Every row, by time, then by place in the input.
  std::vector<const char*> Sorted() const;

 private:
  friend class PartitionBuffers;
  /// The sort key of a row. It is kept apart from the rows, which have left the cache by then.
  struct Entry {
    int64_t time;
    uint64_t line;
    const char* row;
  };
  struct Run {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
    size_t capacity = 0;
  };

  std::string organisation_;
  int32_t day_ = 0;
  size_t memory_bytes_ = 0;
  int64_t last_block_ = 0;
  std::vector<Run> runs_;
  std::vector<Entry> entries_;
};

/// Where ingest gathers rows by organisation and UTC day until a file is worth writing.
/// Thread-safe.
class PartitionBuffers {
 public:
  struct Partition {
    std::mutex mutex;
    PartitionRows rows;   ///< Guarded by mutex.
    const size_t number;  ///< From 0, without gaps.

    Partition(std::string organisation, int32_t day, size_t number)
        : rows(std::move(organisation), day), number(number) {}
  };

  /// The partition; always the same object.
  Partition& Find(std::string_view organisation, int32_t day);

  /// Copies rows of one block into the partition. `offsets` say where in `rows` they start.
  void Append(Partition& partition, int64_t block, const char* rows,
              std::span<const uint32_t> offsets);

  size_t memory_bytes() const { return memory_bytes_; }

  /// Takes rows out, about `bytes` of them: partitions that got none of the latest blocks first,
  /// then the largest.
  std::vector<PartitionRows> Take(size_t bytes);

  /// Takes out what is left.
  std::vector<PartitionRows> TakeAll();

  /// Frees the memory of rows that were taken and are written.
  void Release(const PartitionRows& rows) { memory_bytes_ -= rows.memory_bytes_; }

 private:
  std::vector<Partition*> All();
  static PartitionRows TakeFrom(Partition& partition);

  std::mutex mutex_;
  std::map<std::pair<std::string, int32_t>, std::unique_ptr<Partition>, std::less<>> partitions_;
  std::atomic<size_t> memory_bytes_ = 0;
  std::atomic<int64_t> latest_block_ = 0;
};

}  // namespace spillway::lake
