#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>
#include <parquet/type_fwd.h>

#include "base/error.h"
#include "source/lake/column/column_reader.h"
#include "source/lake/read_plan.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// Batches hold at most this many rows, and of long ones so few that they take about this many
/// bytes.
inline constexpr int64_t kBatchRows = 16384;
inline constexpr int64_t kBatchBytes = 32 << 20;

/// The error for a data file that does not hold what the log says: one line with what to do.
std::unexpected<Error> FailDataFile(std::string_view key, std::string_view what);

/// What to read of a file.
struct SliceColumns {
  std::shared_ptr<arrow::Schema>
      schema;          ///< The wanted columns with the types the lake gives them.
  int time_index = 0;  ///< Which of them is the time.
  /// Text that the file stores as a dictionary comes as dictionary<int32, utf8>.
  bool dictionaries = false;
};

/// Reads the rows of a slice that lie in a range of time, batch by batch, and holds the file
/// against what the slice promises. Pages without such rows are not decompressed. Used by one
/// thread; memory is the compressed columns of a row group, its times, and a page a column. Errors
/// as Scan's.
class SliceReader {
 public:
  static Result<std::unique_ptr<SliceReader>> Open(storage::ObjectStore& store, const Slice& slice,
                                                   TimeRange range, SliceColumns columns,
                                                   arrow::MemoryPool& pool);
  ~SliceReader();

  /// Passes over the next rows of the range without decoding more of them than their times.
  void Skip(int64_t rows) { skip_ += rows; }

  /// The next rows, columns in the order asked for; null behind the last.
  Result<std::shared_ptr<arrow::RecordBatch>> Next();

  /// The times of the batch that Next returned last.
  const int64_t* times() const { return times_; }

 private:
  struct Column {
    int index = 0;  ///< In the file.
    std::unique_ptr<ColumnReader> reader;
    ColumnChunk chunk;
  };

  SliceReader(const Slice& slice, TimeRange range, SliceColumns columns,
              std::unique_ptr<storage::ObjectReader> object, arrow::MemoryPool& pool);

  Result<> OpenFile();
  Result<> OpenColumns();
  /// Goes to the next row group with rows in the range; false behind the last.
  Result<bool> NextRowGroup();
  Result<> LoadChunks(int row_group);
  Result<> ReadTimes(int64_t rows);
  /// How many rows the next batch shall have.
  Result<int64_t> BatchRows();
  std::unexpected<Error> Failed(Error error, size_t column) const;

  const Slice slice_;
  const TimeRange range_;
  const SliceColumns columns_;
  std::unique_ptr<storage::ObjectReader> object_;
  std::shared_ptr<parquet::FileMetaData> metadata_;
  arrow::MemoryPool& pool_;
  Decompressor decompressor_;
  std::vector<Column> readers_;
  std::deque<Scratch> loaded_;  ///< Runs of neighbouring chunks.
  int row_groups_read_ = 0;
  int64_t last_time_ = INT64_MIN;
  std::shared_ptr<arrow::Array> group_times_;
  const int64_t* times_ = nullptr;
  int64_t row_ = 0;  ///< In the row group at hand.
  int64_t end_ = 0;
  int64_t skip_ = 0;
  std::shared_ptr<arrow::Schema> batch_schema_;
};

}  // namespace spillway::lake
