#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "lake/lake.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// How a data file is laid out.
struct DataFileOptions {
  int64_t row_group_rows = 131072;  ///< Fewer where they would take more than 128 MiB.
  int64_t page_rows = 16384;  ///< At most, so that the page index can skip inside a row group.
  int zstd_level = 1;
};

/// Writes one Parquet file of the lake: Zstandard, dictionaries where values repeat, statistics,
/// page index and page checksums, the lake's schema without organisation. The object appears with
/// Finish; a destructor without it leaves nothing. Memory: one row group, and its encoded pages.
/// Used by one thread.
class DataFileWriter {
 public:
  /// `file` names key, organisation and day.
  static Result<std::unique_ptr<DataFileWriter>> Create(storage::ObjectStore& store,
                                                        const LakeSchema& schema, DataFile file,
                                                        const DataFileOptions& options);
  ~DataFileWriter();

  /// Rows with the schema's columns, in order of time and of the day; kInternal otherwise.
  Result<> Write(const arrow::RecordBatch& batch);

  /// Encodes what is left, and the footer: the work of Finish, without the wait for the store.
  Result<> Close();

  /// Publishes the file, which must have rows. Closes it first where that was not done.
  Result<DataFile> Finish();

 private:
  class Implementation;
  explicit DataFileWriter(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace spillway::lake
