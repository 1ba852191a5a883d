#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lake/lake.h"

namespace spillway::lake {

/// The files of a snapshot that should become one run of sorted rows: of one day, and overlapping
/// in time or small. `files` is in the order of a snapshot, and so is each group. Files that are
/// well as they are stand in no group.
std::vector<std::vector<DataFile>> CompactGroups(std::span<const DataFile> files,
                                                 int64_t small_file_rows, int64_t file_rows);

}  // namespace spillway::lake
