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
  /// The name of the partition that says the day, if there is one.
  std::string day_partition = "day";
  int threads = 1;  ///< Each reads a file.
};

/// Objects that were passed over.
struct PassedOver {
  int64_t files = 0;
  std::string first;  ///< The key of one of them.
};

struct AdoptReport {
  int64_t files = 0;
  int64_t rows = 0;
  uint64_t bytes = 0;
  int64_t organisations = 0;
  int64_t known_files = 0;  ///< Files that were in the log before; they are not read.
  PassedOver taken_out;     ///< Adopted files that RemoveAdopted has taken out.
  PassedOver hidden;        ///< Hidden objects: see IsHiddenPath.
  PassedOver other;         ///< Objects that are not named *.parquet.
  PassedOver outside;       ///< Parquet files in no directory `<organisation_partition>=…`.
  int64_t version = 0;      ///< 0 when there was nothing to adopt.
  /// Files with names that Spillway gives, which the log does not know: the log was lost, a writer
  /// died, or one is at work. They are not adopted.
  std::vector<std::string> unnamed_files;
};

/// Adds Parquet files that somebody else wrote into the lake's directory to the lake, in place and
/// in one commit: every `<organisation>=<name>/…/<file>.parquet` that the log has never named and
/// that is not hidden. Each must have the lake's columns (others are ignored), and its time column
/// must be sorted, without nulls, and within one UTC day, which is that of the day's partition if
/// it is a date. Its path must name one organisation, not Hive's null. kInvalidArgument names the
/// first file for which that is not so; then nothing is adopted.
///
/// The lake's columns of every file are read whole, by the reader that Scan uses, so that exports
/// cannot fail over the form of an adopted file. Nothing but the commit is written. Escapes such as
/// %2F in partition names are decoded.
Result<AdoptReport> Adopt(storage::ObjectStore& lake, CommitLog& log, const LakeSchema& schema,
                          const AdoptOptions& options, std::stop_token stop);

}  // namespace spillway::lake
