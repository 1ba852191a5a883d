#include "lake/compaction/compact_groups.h"

#include <algorithm>
#include <utility>

namespace spillway::lake {
namespace {

/// Files of which each overlaps in time with some other of them, or a single file.
struct Cluster {
  std::vector<DataFile> files;
  int64_t rows = 0;
  Timestamp max_time;
};

std::vector<Cluster> Clusters(std::span<const DataFile> files) {
  std::vector<Cluster> clusters;
  for (const DataFile& file : files) {
    if (clusters.empty() || clusters.back().files.front().day != file.day ||
        file.min_time() >= clusters.back().max_time) {
      clusters.push_back({.max_time = file.max_time()});
    }
    Cluster& cluster = clusters.back();
    cluster.files.push_back(file);
    cluster.rows += file.rows();
    cluster.max_time = std::max(cluster.max_time, file.max_time());
  }
  return clusters;
}

}  // namespace

std::vector<std::vector<DataFile>> CompactGroups(std::span<const DataFile> files,
                                                 int64_t small_file_rows, int64_t file_rows) {
  std::vector<Cluster> merged;
  for (Cluster& next : Clusters(files)) {
    const bool joins = !merged.empty() &&
                       merged.back().files.front().day == next.files.front().day &&
                       (merged.back().rows < small_file_rows || next.rows < small_file_rows) &&
                       merged.back().rows + next.rows <= file_rows;
    if (!joins) {
      merged.push_back(std::move(next));
      continue;
    }
    merged.back().rows += next.rows;
    std::ranges::move(next.files, std::back_inserter(merged.back().files));
  }
  std::vector<std::vector<DataFile>> groups;
  for (Cluster& cluster : merged) {
    if (cluster.files.size() > 1) groups.push_back(std::move(cluster.files));
  }
  return groups;
}

}  // namespace spillway::lake
