#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "lake/log/commit_log.h"

namespace spillway::lake {

struct RemoveReport {
  int64_t files = 0;
  int64_t rows = 0;
  uint64_t bytes = 0;
  int64_t version = 0;
};

/// Takes files that were adopted out of the lake again, in one commit: all that are named, or none.
/// A name is a file's key in the lake; one that ends with `/` stands for every adopted file below
/// it. The objects stay where they are: readers of older snapshots still read them, and Adopt
/// passes them over from then on. kNotFound for a name that stands for nothing in the lake,
/// kInvalidArgument for a file that Spillway wrote itself, kConflict for one whose rows a
/// compaction has put into a file of Spillway's own.
Result<RemoveReport> RemoveAdopted(CommitLog& log, const std::vector<std::string>& names);

}  // namespace spillway::lake
