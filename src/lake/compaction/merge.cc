#include "lake/compaction/merge.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include <arrow/api.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/exec.h>

#include "lake/read/slice_reader.h"

namespace spillway::lake {
namespace {

/// Runs of at least this many rows are handed out as they are; shorter ones are copied together.
constexpr int64_t kLongRun = 1024;

int64_t Microseconds(Timestamp time) { return time.time_since_epoch().count(); }

}  // namespace

/// A slice being read: its current batch and the place in it.
struct Merge::Cursor {
  size_t slice = 0;
  std::unique_ptr<SliceReader> reader;
  std::shared_ptr<arrow::RecordBatch> batch;  ///< Null after the last row.
  const int64_t* times = nullptr;
  int64_t row = 0;
  int64_t end = 0;
  std::vector<const int32_t*> offsets;  ///< Of the batch's text columns.

  /// The bytes of text in the next `rows` rows.
  int64_t TextBytes(int64_t rows) const {
    int64_t bytes = 0;
    for (const int32_t* column : offsets) bytes += column[row + rows] - column[row];
    return bytes;
  }
  int64_t time() const { return times[row]; }
  static bool Later(const std::unique_ptr<Cursor>& a, const std::unique_ptr<Cursor>& b) {
    return std::pair(a->time(), a->slice) > std::pair(b->time(), b->slice);
  }
};

/// Rows of one batch that follow each other in the order.
struct Merge::Run {
  std::shared_ptr<arrow::RecordBatch> batch;
  int64_t begin = 0;
  int64_t rows = 0;
};

Merge::Merge(storage::ObjectStore& store, const ReadUnit& unit,
             std::shared_ptr<arrow::Schema> columns, int time_index, arrow::MemoryPool& pool,
             std::stop_token stop)
    : store_(store),
      unit_(unit),
      columns_(std::move(columns)),
      time_index_(time_index),
      pool_(pool),
      stop_(std::move(stop)),
      unopened_(unit.slices.size()),
      skip_(unit.slices.size() == 1 ? 0 : unit.skip) {
  std::iota(unopened_.begin(), unopened_.end(), size_t{0});
  std::ranges::stable_sort(unopened_, std::greater(),
                           [&](size_t slice) { return unit_.slices[slice].min_time; });
}

Merge::~Merge() = default;

Result<std::shared_ptr<arrow::RecordBatch>> Merge::Next() {
  while (true) {
    auto batch = TRY(NextOfRange());
    if (batch == nullptr || skip_ == 0) return batch;
    const int64_t skipped = std::min(skip_, batch->num_rows());
    skip_ -= skipped;
    if (skipped < batch->num_rows()) return batch->Slice(skipped);
  }
}

Result<std::shared_ptr<arrow::RecordBatch>> Merge::NextOfRange() {
  while (true) {
    TRY(OpenReached());
    if (open_.empty()) return gathered_.empty() ? nullptr : Gather();

    std::ranges::pop_heap(open_, Cursor::Later);
    std::unique_ptr<Cursor> cursor = std::move(open_.back());
    open_.pop_back();
    const int64_t rows = RunOf(*cursor);
    const int64_t bytes = cursor->TextBytes(rows);
    const bool as_it_is = open_.empty() || rows >= kLongRun;
    if (!gathered_.empty() &&
        (as_it_is || gathered_rows_ + rows > kBatchRows || gathered_bytes_ + bytes > kBatchBytes)) {
      PutBack(std::move(cursor));
      return Gather();
    }
    Run run = {.batch = cursor->batch, .begin = cursor->row, .rows = rows};
    cursor->row += rows;
    if (cursor->row == cursor->end) TRY(Refill(*cursor));
    if (cursor->batch != nullptr) PutBack(std::move(cursor));
    if (as_it_is) {
      return run.rows == run.batch->num_rows() ? run.batch : run.batch->Slice(run.begin, run.rows);
    }
    gathered_rows_ += run.rows;
    gathered_bytes_ += bytes;
    gathered_.push_back(std::move(run));
  }
}

void Merge::PutBack(std::unique_ptr<Cursor> cursor) {
  open_.push_back(std::move(cursor));
  std::ranges::push_heap(open_, Cursor::Later);
}

/// Opens the slices that may hold the next row.
Result<> Merge::OpenReached() {
  while (!unopened_.empty()) {
    const size_t next = unopened_.back();
    if (!open_.empty() && Microseconds(unit_.slices[next].min_time) > open_.front()->time()) break;
    unopened_.pop_back();
    auto cursor = TRY(OpenSlice(next));
    if (cursor->batch != nullptr) PutBack(std::move(cursor));
  }
  return {};
}

Result<std::unique_ptr<SliceReader>> Merge::OpenReader(size_t index) const {
  const Slice& slice = unit_.slices[index];
  auto reader = SliceReader::Open(store_, slice, unit_.range,
                                  {.schema = columns_, .time_index = time_index_}, pool_, stop_);
  if (!reader) return std::unexpected(OfDataFile(slice.key, std::move(reader).error()));
  return reader;
}

/// Slices are opened in their order, so what was opened ahead is this one.
Result<std::unique_ptr<Merge::Cursor>> Merge::OpenSlice(size_t index) {
  auto cursor = std::make_unique<Cursor>();
  cursor->slice = index;
  cursor->reader = TRY(ahead_.valid() ? ahead_.get() : OpenReader(index));
  if (IsFar(store_) && !unopened_.empty()) {
    ahead_ = std::async(std::launch::async,
                        [this, next = unopened_.back()] { return OpenReader(next); });
  }
  if (unit_.slices.size() == 1) cursor->reader->Skip(unit_.skip);
  TRY(Refill(*cursor));
  return cursor;
}

uint64_t Merge::bytes_read() {
  if (ahead_.valid()) {
    const auto reader = ahead_.get();
    if (reader.has_value()) bytes_of_closed_ += (*reader)->bytes_read();
  }
  uint64_t bytes = bytes_of_closed_;
  for (const auto& cursor : open_) bytes += cursor->reader->bytes_read();
  return bytes;
}

/// Moves on to the next batch.
Result<> Merge::Refill(Cursor& cursor) {
  auto batch = cursor.reader->Next();
  if (!batch) {
    return std::unexpected(OfDataFile(unit_.slices[cursor.slice].key, std::move(batch).error()));
  }
  cursor.batch = *std::move(batch);
  if (cursor.batch == nullptr) {
    bytes_of_closed_ += cursor.reader->bytes_read();
    return {};
  }
  cursor.times = cursor.reader->times();
  cursor.row = 0;
  cursor.end = cursor.batch->num_rows();
  cursor.offsets.clear();
  for (const auto& column : cursor.batch->columns()) {
    if (column->type_id() == arrow::Type::STRING || column->type_id() == arrow::Type::BINARY) {
      cursor.offsets.push_back(static_cast<const arrow::BinaryArray&>(*column).raw_value_offsets());
    }
  }
  return {};
}

/// How many rows from the cursor's place on come before any other slice's.
int64_t Merge::RunOf(const Cursor& cursor) const {
  std::pair<int64_t, size_t> limit = {INT64_MAX, SIZE_MAX};
  if (!open_.empty()) limit = {open_.front()->time(), open_.front()->slice};
  if (!unopened_.empty()) {
    const size_t next = unopened_.back();
    limit = std::min(limit, std::pair(Microseconds(unit_.slices[next].min_time), next));
  }
  const int64_t* begin = cursor.times + cursor.row;
  const int64_t* end = cursor.times + cursor.end;
  const bool wins_ties = cursor.slice < limit.second;
  // Runs are short where slices interleave: doubling steps find their end sooner than halving does.
  const auto before = [&](int64_t time) {
    return time < limit.first || (wins_ties && time == limit.first);
  };
  int64_t step = 1;
  while (step < end - begin && before(begin[step])) step *= 2;
  return std::partition_point(begin + step / 2, std::min(begin + step, end), before) - begin;
}

/// The gathered runs as one batch. The rows that each batch contributes are concatenated and then
/// taken in order.
Result<std::shared_ptr<arrow::RecordBatch>> Merge::Gather() {
  struct Source {
    const std::shared_ptr<arrow::RecordBatch>* batch;
    int64_t begin;
    int64_t rows;
    int64_t at;
  };
  std::vector<Source> sources;
  std::vector<size_t> source_of;
  for (const Run& run : gathered_) {
    const auto same =
        std::ranges::find_if(sources, [&](const Source& s) { return *s.batch == run.batch; });
    source_of.push_back(same - sources.begin());
    if (same == sources.end()) {
      sources.push_back({.batch = &run.batch, .begin = run.begin, .rows = run.rows, .at = 0});
    } else {
      same->rows += run.rows;
    }
  }
  std::vector<std::shared_ptr<arrow::RecordBatch>> pieces;
  int64_t rows = 0;
  for (Source& source : sources) {
    source.at = std::exchange(rows, rows + source.rows);
    pieces.push_back((*source.batch)->Slice(source.begin, source.rows));
  }

  const auto gather = [&]() -> arrow::Result<std::shared_ptr<arrow::RecordBatch>> {
    ARROW_ASSIGN_OR_RAISE(auto joined, arrow::ConcatenateRecordBatches(pieces, &pool_));
    if (sources.size() == 1) return joined;
    ARROW_ASSIGN_OR_RAISE(auto order, arrow::AllocateBuffer(rows * sizeof(int32_t), &pool_));
    auto* next = order->mutable_data_as<int32_t>();
    for (size_t i = 0; i < gathered_.size(); ++i) {
      int64_t& from = sources[source_of[i]].at;
      std::iota(next, next + gathered_[i].rows, static_cast<int32_t>(from));
      next += gathered_[i].rows;
      from += gathered_[i].rows;
    }
    const arrow::Int32Array indices(rows, std::move(order));
    arrow::compute::ExecContext context(&pool_);
    std::vector<std::shared_ptr<arrow::Array>> columns;
    for (const auto& column : joined->columns()) {
      ARROW_ASSIGN_OR_RAISE(
          auto taken, arrow::compute::Take(*column, indices,
                                           arrow::compute::TakeOptions::NoBoundsCheck(), &context));
      columns.push_back(std::move(taken));
    }
    return arrow::RecordBatch::Make(joined->schema(), rows, std::move(columns));
  };
  auto merged = gather();
  gathered_.clear();
  gathered_rows_ = gathered_bytes_ = 0;
  if (!merged.ok())
    return Fail(ErrorCode::kInternal, "merging by time: " + merged.status().message());
  return *std::move(merged);
}

}  // namespace spillway::lake
