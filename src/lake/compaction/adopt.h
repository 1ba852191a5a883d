#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "lake/lake.h"
#include "lake/log/commit_log.h"
#include "storage/object_store.h"

namespace spillway::lake {

struct AdoptOptions {
  /// The name of the partition that says the organisation, `org` in
  /// `org=acme/day=2025-01-31/x.parquet`.
  std::string organisation_partition = "org";
  /// The name of the one that says the day, where there is one.
  std::string day_partition = "day";
  int threads = 1;  ///< Each reads a file.
};

/// Objects that were not looked into.
struct PassedOver {
  int64_t files = 0;
  std::string first;  ///< The key of one of them.
};

struct AdoptReport {
  int64_t files = 0;
  int64_t rows = 0;
  uint64_t bytes = 0;
  int64_t organisations = 0;
  int64_t known_files = 0;  ///< Were in the log before, and are not looked at.
  PassedOver taken_out;     ///< Were adopted once, and RemoveAdopted took them out.
  PassedOver hidden;        ///< See IsHiddenPath.
  PassedOver other;         ///< Are not named *.parquet.
  PassedOver outside;       ///< Parquet files in no directory `<organisation_partition>=…`.
  int64_t version = 0;      ///< 0 when there was nothing to adopt.
  /// Files that Spillway itself named, but the log never did: the log was lost, or a writer died or
  /// is at work. They are not taken.
  std::vector<std::string> unnamed_files;
};

/// Takes Parquet files that somebody else wrote into the lake's directory into the lake, in place
/// and in one commit: every `<organisation>=<name>/…/<file>.parquet` that the log has never named
/// and that is not hidden. Each must have the lake's columns (more are passed over), the time
/// column sorted, without nulls, and within one UTC day; where the day's partition is a date, that
/// one. Its path must name one organisation, not Hive's null. kInvalidArgument names the first file
/// for which that is not so, and nothing is adopted.
///
/// The lake's columns of every file are read whole, by the reader that Scan uses: what is adopted
/// has been read, and exports will not fail over its form. Nothing is written but the commit.
/// Escapes of the form %2F in partition names are read.
Result<AdoptReport> Adopt(storage::ObjectStore& lake, CommitLog& log, const LakeSchema& schema,
                          const AdoptOptions& options, std::stop_token stop);

}  // namespace spillway::lake
