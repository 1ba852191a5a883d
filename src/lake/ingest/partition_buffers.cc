#include "lake/ingest/partition_buffers.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace spillway::lake {
namespace {

constexpr size_t kRunBytesMin = 4096;
constexpr size_t kRunBytesMax = 1 << 20;
/// A partition without rows in this many blocks counts as complete for now.
constexpr int64_t kColdBlocks = 16;

}  // namespace

std::vector<const char*> PartitionRows::Sorted() const {
  const auto before = [](const Entry& a, const Entry& b) {
    return std::tie(a.time, a.line) < std::tie(b.time, b.line);
  };
  std::vector<Entry> sorted;
  if (!std::ranges::is_sorted(entries_, before)) {
    sorted = entries_;
    std::ranges::sort(sorted, before);
  }
  std::vector<const char*> rows;
  rows.reserve(entries_.size());
  for (const Entry& entry : sorted.empty() ? entries_ : sorted) rows.push_back(entry.row);
  return rows;
}

PartitionBuffers::Partition& PartitionBuffers::Find(std::string_view organisation, int32_t day) {
  const std::lock_guard lock(mutex_);
  auto& partition = partitions_[{std::string(organisation), day}];
  if (partition == nullptr) {
    partition = std::make_unique<Partition>(std::string(organisation), day, partitions_.size() - 1);
  }
  return *partition;
}

void PartitionBuffers::Append(Partition& partition, int64_t block, const char* rows,
                              std::span<const uint32_t> offsets) {
  size_t bytes = 0;
  for (uint32_t offset : offsets) bytes += HeaderOf(rows + offset).bytes;
  const std::lock_guard lock(partition.mutex);
  PartitionRows& into = partition.rows;
  if (into.runs_.empty() || into.runs_.back().capacity - into.runs_.back().size < bytes) {
    const size_t capacity =
        std::max(bytes, std::clamp(into.memory_bytes_ / 2, kRunBytesMin, kRunBytesMax));
    into.runs_.push_back(
        {.bytes = std::make_unique_for_overwrite<char[]>(capacity), .capacity = capacity});
    into.memory_bytes_ += capacity;
    memory_bytes_ += capacity;
  }
  PartitionRows::Run& run = into.runs_.back();
  for (uint32_t offset : offsets) {
    const char* row = rows + offset;
    const RowHeader& header = HeaderOf(row);
    char* copy = run.bytes.get() + run.size;
    std::memcpy(copy, row, header.bytes);
    into.entries_.push_back({header.time, header.line, copy});
    run.size += header.bytes;
  }
  const size_t entry_bytes = offsets.size() * sizeof(PartitionRows::Entry);
  into.memory_bytes_ += entry_bytes;
  memory_bytes_ += entry_bytes;
  into.last_block_ = std::max(into.last_block_, block);
  int64_t latest = latest_block_;
  while (latest < block && !latest_block_.compare_exchange_weak(latest, block)) {
  }
}

std::vector<PartitionBuffers::Partition*> PartitionBuffers::All() {
  const std::lock_guard lock(mutex_);
  std::vector<Partition*> all;
  all.reserve(partitions_.size());
  for (auto& [name, partition] : partitions_) all.push_back(partition.get());
  return all;
}

PartitionRows PartitionBuffers::TakeFrom(Partition& partition) {
  const std::lock_guard lock(partition.mutex);
  PartitionRows empty(partition.rows.organisation_, partition.rows.day_);
  return std::exchange(partition.rows, std::move(empty));
}

std::vector<PartitionRows> PartitionBuffers::Take(size_t bytes) {
  struct Candidate {
    bool cold;
    size_t memory_bytes;
    Partition* partition;
  };
  std::vector<Candidate> candidates;
  const int64_t cold_before = latest_block_ - kColdBlocks;
  for (Partition* partition : All()) {
    const std::lock_guard lock(partition->mutex);
    if (partition->rows.rows() == 0) continue;
    candidates.push_back(
        {partition->rows.last_block_ < cold_before, partition->rows.memory_bytes_, partition});
  }
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return std::tie(a.cold, a.memory_bytes) > std::tie(b.cold, b.memory_bytes);
  });
  std::vector<PartitionRows> taken;
  size_t taken_bytes = 0;
  for (const Candidate& candidate : candidates) {
    if (taken_bytes >= bytes) break;
    PartitionRows rows = TakeFrom(*candidate.partition);
    if (rows.rows() == 0) continue;  // Another thread was quicker.
    taken_bytes += rows.memory_bytes_;
    taken.push_back(std::move(rows));
  }
  return taken;
}

std::vector<PartitionRows> PartitionBuffers::TakeAll() {
  std::vector<PartitionRows> taken;
  for (Partition* partition : All()) {
    PartitionRows rows = TakeFrom(*partition);
    if (rows.rows() > 0) taken.push_back(std::move(rows));
  }
  // The largest first, so that the threads end together.
  std::ranges::sort(taken, std::greater(), &PartitionRows::rows);
  return taken;
}

}  // namespace spillway::lake
