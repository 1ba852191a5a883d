#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "lake/ingest/data_file_writer.h"
#include "lake/lake.h"
#include "lake/log/commit_log.h"
#include "storage/object_store.h"

namespace spillway::lake {

struct CompactOptions {
  std::optional<std::string> organisation;  ///< Absent: all of them.
  int64_t small_file_rows = 131072;         ///< Files with fewer rows are merged with their
                                            ///< neighbours.
  int64_t file_rows = 4 << 20;              ///< The most rows of a merged file.
  int threads = 2;
  DataFileOptions files{.zstd_level = 3};
};

struct CompactReport {
  int64_t partitions = 0;  ///< Those that were changed.
  int64_t files_before = 0;
  int64_t files_after = 0;
  int64_t rows = 0;  ///< Of these files; the same before and after.
  uint64_t bytes_before = 0;
  uint64_t bytes_after = 0;
  /// Partitions that another compaction kept changing at the same time; they are as it left them.
  int64_t conflicts = 0;
};

/// Merges the small files of each partition, and those that overlap in time, into files sorted by
/// time that do not. Each commit replaces files of one organisation, after counting that the new
/// files have the same rows. Readers keep their snapshot (the old objects stay until
/// CommitLog::Vacuum), and ingest can go on meanwhile. `random` gives the files of this run names
/// of their own.
Result<CompactReport> Compact(storage::ObjectStore& lake, CommitLog& log, const LakeSchema& schema,
                              const CompactOptions& options, Random& random, std::stop_token stop);

}  // namespace spillway::lake
