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
  std::optional<std::string> organisation;  ///< All of them without.
  int64_t small_file_rows = 131072;         ///< Smaller files are merged with their neighbours …
  int64_t file_rows = 4 << 20;              ///< … into files of at most so many rows.
  int threads = 2;
  DataFileOptions files{.zstd_level = 3};
};

struct CompactReport {
  int64_t partitions = 0;  ///< That were changed.
  int64_t files_before = 0;
  int64_t files_after = 0;
  int64_t rows = 0;  ///< In those files, before as after.
  uint64_t bytes_before = 0;
  uint64_t bytes_after = 0;
  /// Partitions that another compaction kept changing at the same time; they are as it left them.
  int64_t conflicts = 0;
};

/// Merges the small files of each partition, and those that overlap in time, into files sorted by
/// time that do not. A commit takes out and puts in files of one organisation whose rows have been
/// counted to be the same. Nobody is disturbed: readers keep their snapshot (the old objects stay
/// until CommitLog::Vacuum), ingest goes on. `random` tells this run's files from every other's.
Result<CompactReport> Compact(storage::ObjectStore& lake, CommitLog& log, const LakeSchema& schema,
                              const CompactOptions& options, Random& random, std::stop_token stop);

}  // namespace spillway::lake
