#pragma once

#include <memory>
#include <string_view>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "source/lake/read_plan.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// Batches hold at most this many rows.
inline constexpr int64_t kBatchRows = 16384;

/// The error for a data file that does not hold what the log says: one line with what to do.
std::unexpected<Error> FailDataFile(std::string_view key, std::string_view what);

/// Reads some columns of a slice, batch by batch. Used by one thread.
class SliceReader {
 public:
  virtual ~SliceReader() = default;

  /// Opens the file and holds it against what the slice promises. `columns` are the wanted ones
  /// with the types the lake gives them. With `dictionaries`, utf8 columns that the file stores as
  /// a dictionary come as dictionary<int32, utf8>. Errors as Scan's.
  static Result<std::unique_ptr<SliceReader>> Open(storage::ObjectStore& store, const Slice& slice,
                                                   const arrow::Schema& columns, bool dictionaries);

  /// The next rows, columns in the order asked for; null behind the last.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Next() = 0;
};

}  // namespace spillway::lake
