#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/type_fwd.h>
#include <parquet/type_fwd.h>

#include "base/error.h"
#include "lake/column/column_reader.h"
#include "lake/read/read_plan.h"
#include "storage/object_store.h"

namespace spillway::lake {

/// A batch has at most kBatchRows rows, and fewer if they would take more than about kBatchBytes.
inline constexpr int64_t kBatchRows = 4096;
inline constexpr int64_t kBatchBytes = 32 << 20;

/// Turns an error of SliceReader into one line that names the file and says what to do: kCorrupt
/// when the file is not what the log says, kUnsupported when its form cannot be read. Other errors
/// stay as they are.
Error OfDataFile(std::string_view key, Error error);

/// Whether the store is reached over a network, so that reading ahead on another thread pays.
bool IsFar(const storage::ObjectStore& store);

/// Counts the bytes that are read of an object. Thread-safe.
class CountedObject final : public storage::ObjectReader {
 public:
  explicit CountedObject(std::unique_ptr<storage::ObjectReader> object)
      : object_(std::move(object)) {}

  uint64_t size() const override { return object_->size(); }
  Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> into) override {
    bytes_read_ += into.size();
    return object_->ReadAt(offset, into);
  }
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  const std::unique_ptr<storage::ObjectReader> object_;
  std::atomic<uint64_t> bytes_read_ = 0;
};

/// What to read of a file.
struct SliceColumns {
  std::shared_ptr<arrow::Schema>
      schema;          ///< The wanted columns with the types the lake gives them.
  int time_index = 0;  ///< Which of them is the time.
};

/// Reads the rows of a slice that lie in a range of time, batch by batch, and checks the file
/// against what the slice says. Pages without such rows are not decompressed. If the store is far
/// (see IsFar), the next row group is read while one is decoded. Used by one thread; memory is the
/// compressed columns of a row group (of two, if the store is far), its times, and a page a column.
/// Errors are the store's, and kCorrupt and kUnsupported, which say what is wrong with the file but
/// not which file it is (see OfDataFile).
class SliceReader {
 public:
  static Result<std::unique_ptr<SliceReader>> Open(storage::ObjectStore& store, const Slice& slice,
                                                   TimeRange range, SliceColumns columns,
                                                   arrow::MemoryPool& pool, std::stop_token stop);
  ~SliceReader();

  /// Passes over the next rows of the range without decoding more of them than their times.
  void Skip(int64_t rows) { skip_ += rows; }

  /// The next rows, columns in the order asked for; null after the last.
  Result<std::shared_ptr<arrow::RecordBatch>> Next();

  /// The times of the batch that Next returned last.
  const int64_t* times() const { return times_; }

  /// Bytes asked of the store so far, footer and gaps included.
  uint64_t bytes_read() const;

 private:
  struct Column {
    int index = 0;  ///< In the file.
    std::unique_ptr<ColumnReader> reader;
  };

  /// The compressed columns of a row group.
  struct Loaded {
    int row_group = -1;
    std::vector<ColumnChunk> chunks;                    ///< By column; their bytes once read.
    std::vector<std::pair<uint64_t, uint64_t>> places;  ///< Offset and bytes of each.
    std::deque<Scratch> runs;                           ///< Of neighbouring chunks.
  };

  SliceReader(const Slice& slice, TimeRange range, SliceColumns columns,
              std::unique_ptr<CountedObject> object, arrow::MemoryPool& pool);

  Result<> OpenFile();
  Result<> OpenColumns();
  /// Goes to the next row group with rows in the range; false after the last.
  Result<bool> NextRowGroup();
  /// Says where a row group's columns are.
  Result<> Locate(int row_group, Loaded& into) const;
  /// Reads what was located.
  Result<> Load(Loaded& into);
  /// Makes a row group the current one.
  Result<> Take(int row_group);
  void ReadAhead(int row_group);
  Result<> ReadTimes(int64_t rows);
  /// How many rows the next batch shall have.
  Result<int64_t> BatchRows();
  std::unexpected<Error> Failed(Error error, size_t column) const;

  const Slice slice_;
  const TimeRange range_;
  const SliceColumns columns_;
  std::unique_ptr<CountedObject> object_;
  uint64_t gap_bytes_ = 0;  ///< Chunks are read together across gaps up to this.
  bool far_ = false;
  std::shared_ptr<parquet::FileMetaData> metadata_;
  arrow::MemoryPool& pool_;
  Decompressor decompressor_;
  std::vector<Column> readers_;
  Loaded at_hand_;
  Loaded ahead_;
  int row_groups_read_ = 0;
  int64_t last_time_ = INT64_MIN;
  std::shared_ptr<arrow::Array> group_times_;
  const int64_t* times_ = nullptr;
  int64_t row_ = 0;  ///< In the current row group.
  int64_t end_ = 0;
  int64_t skip_ = 0;
  std::future<Result<>> reading_ahead_;  ///< Of ahead_; last, so that it ends before that does.
};

}  // namespace spillway::lake
