#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lake/lake.h"

namespace spillway::lake {

/// The groups of files in a snapshot that should each become one run of sorted rows: files of one
/// day that overlap in time or are small. `files` is in the order of a snapshot, and so is each
/// group. Files that can stay as they are belong to no group.
std::vector<std::vector<DataFile>> CompactGroups(std::span<const DataFile> files,
                                                 int64_t small_file_rows, int64_t file_rows);

}  // namespace spillway::lake
