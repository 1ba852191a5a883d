#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <stop_token>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "lake/read/read_plan.h"
#include "storage/object_store.h"

namespace spillway::lake {

class SliceReader;

/// Hands out the rows of a unit's range, ordered by time (ties: by order of slices, then row),
/// before `skip` and `rows` apply. Slices are opened when the order reaches them and closed after
/// their last row. Where a slice is alone in time, its batches are handed out as they were read.
/// Used by one thread.
class Merge {
 public:
  /// `columns` names the columns to read; the one at `time_index` is the time. `unit` outlives
  /// the merge.
  Merge(storage::ObjectStore& store, const ReadUnit& unit, std::shared_ptr<arrow::Schema> columns,
        int time_index, arrow::MemoryPool& pool, std::stop_token stop);
  ~Merge();

  /// The next rows, at most kBatchRows and about twice kBatchBytes; null after the last. Errors as
  /// Scan's.
  Result<std::shared_ptr<arrow::RecordBatch>> Next();

  /// Bytes asked of the store so far.
  uint64_t bytes_read();

 private:
  struct Cursor;
  struct Run;

  Result<std::shared_ptr<arrow::RecordBatch>> NextOfRange();
  Result<> OpenReached();
  Result<std::unique_ptr<SliceReader>> OpenReader(size_t index) const;
  Result<std::unique_ptr<Cursor>> OpenSlice(size_t index);
  Result<> Refill(Cursor& cursor);
  int64_t RunOf(const Cursor& cursor) const;
  void PutBack(std::unique_ptr<Cursor> cursor);
  Result<std::shared_ptr<arrow::RecordBatch>> Gather();

  storage::ObjectStore& store_;
  const ReadUnit& unit_;
  const std::shared_ptr<arrow::Schema> columns_;
  const int time_index_;
  arrow::MemoryPool& pool_;
  const std::stop_token stop_;
  std::vector<size_t> unopened_;               ///< Slices, the next to open last.
  std::vector<std::unique_ptr<Cursor>> open_;  ///< A heap, the next row's cursor on top.
  std::vector<Run> gathered_;
  int64_t gathered_rows_ = 0;
  int64_t gathered_bytes_ = 0;
  int64_t skip_;  ///< Rows yet to pass over.
  uint64_t bytes_of_closed_ = 0;
  std::future<Result<std::unique_ptr<SliceReader>>> ahead_;  ///< Of the next slice, if the store is
                                                             ///< far.
};

}  // namespace spillway::lake
