#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/clock.h"

/// A lake: messages in Parquet, partitioned by organisation and UTC day, with a commit log that
/// makes every change visible at once and whole.
///
///   org=<escaped organisation>/day=2025-01-31/<name>.parquet    rows sorted by time
///   _log/<20-digit version>.json                                one commit a file, which is
///                                                               created only if absent
///
/// Readers take a snapshot (a version). Later commits do not affect them.
namespace spillway::lake {

/// The columns of a lake's messages, and which of them say organisation and time.
struct LakeSchema {
  std::shared_ptr<arrow::Schema> columns;  ///< Without the organisation, which is the partition.
  std::string organisation_field;          ///< Its name in ingested messages.
  std::string time_column;                 ///< timestamp[us, UTC], never null.
};

/// The times that a lake holds: the years 1 to 9999 in UTC.
inline constexpr Timestamp kTimeMin{std::chrono::microseconds(-62'135'596'800'000'000)};
inline constexpr Timestamp kTimeMax{std::chrono::microseconds(253'402'300'799'999'999)};

/// What the log knows of a row group: enough to skip it without opening its file.
struct RowGroup {
  int64_t rows = 0;
  uint64_t bytes = 0;  ///< Compressed size.
  Timestamp min_time;
  Timestamp max_time;  ///< Inclusive.
};

/// One Parquet file of the lake. Rows are sorted by time.
struct DataFile {
  std::string key;  ///< In the lake's object store.
  std::string organisation;
  int32_t day = 0;  ///< Days since 1970-01-01, UTC.
  uint64_t bytes = 0;
  std::vector<RowGroup> row_groups;

  int64_t rows() const;
  Timestamp min_time() const;
  Timestamp max_time() const;
};

/// A consistent view: the files of one organisation at one version of the log.
struct Snapshot {
  int64_t version = 0;
  std::vector<DataFile> files;  ///< By day, then least time, then key.
};

}  // namespace spillway::lake
