#include "lake/read/slice_reader.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include <arrow/api.h>
#include <fmt/format.h>
#include <parquet/arrow/schema.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "lake/ingest/parquet_input.h"
#include "lake/log/data_file_name.h"

namespace spillway::lake {
namespace {

/// Chunks are read together with gaps between them of up to this part of a transfer.
constexpr uint64_t kGapsPerTransfer = 8;

/// The longest transfer of a local store.
constexpr size_t kNearBytes = 1 << 20;

int64_t Microseconds(Timestamp time) { return time.time_since_epoch().count(); }

struct ByteRange {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t end() const { return offset + bytes; }
};

ByteRange RangeOf(const parquet::ColumnChunkMetaData& chunk) {
  int64_t begin = chunk.data_page_offset();
  if (chunk.has_dictionary_page() && chunk.dictionary_page_offset() > 0) {
    begin = std::min(begin, chunk.dictionary_page_offset());
  }
  return {static_cast<uint64_t>(begin), static_cast<uint64_t>(chunk.total_compressed_size())};
}

std::unexpected<Error> Corrupt(std::string what) {
  return Fail(ErrorCode::kCorrupt, std::move(what));
}

}  // namespace

bool IsFar(const storage::ObjectStore& store) { return store.traits().transfer_bytes > kNearBytes; }

Error OfDataFile(std::string_view key, Error error) {
  const bool corrupt = error.code == ErrorCode::kCorrupt;
  if (!corrupt && error.code != ErrorCode::kUnsupported) return error;
  std::string remedy = corrupt ? "; restore the file from a backup" : "";
  if (!IsDataFileName(key)) remedy += ", or remove it from the lake";
  error.message = fmt::format("lake file {} {}{}", key, error.message, remedy);
  std::ranges::replace(error.message, '\n', ' ');
  return error;
}

SliceReader::SliceReader(const Slice& slice, TimeRange range, SliceColumns columns,
                         std::unique_ptr<CountedObject> object, arrow::MemoryPool& pool)
    : slice_(slice),
      range_(range),
      columns_(std::move(columns)),
      object_(std::move(object)),
      pool_(pool) {}

SliceReader::~SliceReader() = default;

Result<std::unique_ptr<SliceReader>> SliceReader::Open(storage::ObjectStore& store,
                                                       const Slice& slice, TimeRange range,
                                                       SliceColumns columns,
                                                       arrow::MemoryPool& pool,
                                                       std::stop_token stop) {
  auto opened = store.Open(slice.key, std::move(stop));
  if (!opened.has_value()) {
    if (opened.error().code != ErrorCode::kNotFound) {
      return std::unexpected(std::move(opened).error());
    }
    if (!IsDataFileName(slice.key)) return Corrupt("is gone, though the log names it");
    return Corrupt(
        "is gone: a vacuum removed it after the export was planned (then run the export again), or "
        "it was lost");
  }
  const uint64_t bytes = (*opened)->size();
  if (bytes != slice.file_bytes) {
    return Corrupt(fmt::format("has {} bytes where the log says {}: it was cut short or changed",
                               bytes, slice.file_bytes));
  }
  std::unique_ptr<SliceReader> reader(new SliceReader(
      slice, range, std::move(columns), std::make_unique<CountedObject>(*std::move(opened)), pool));
  reader->gap_bytes_ = store.traits().transfer_bytes / kGapsPerTransfer;
  reader->far_ = IsFar(store);
  TRY(reader->OpenFile());
  TRY(reader->OpenColumns());
  reader->ReadAhead(slice.first_row_group);
  return reader;
}

Result<> SliceReader::OpenFile() {
  const auto input = std::make_shared<ParquetInput>(*object_);
  try {
    metadata_ = parquet::ParquetFileReader::Open(input)->metadata();
  } catch (const std::exception& thrown) {
    if (auto error = input->TakeError()) return std::unexpected(*std::move(error));
    return Corrupt(fmt::format("has no readable footer ({})", thrown.what()));
  }
  if (slice_.first_row_group < 0 || slice_.row_groups < 1 ||
      slice_.row_groups > metadata_->num_row_groups() - slice_.first_row_group) {
    return Corrupt(
        fmt::format("has {} row groups, less than the log says", metadata_->num_row_groups()));
  }
  int64_t rows = 0;
  for (int group = 0; group < slice_.row_groups; ++group) {
    rows += metadata_->RowGroup(slice_.first_row_group + group)->num_rows();
  }
  if (rows != slice_.rows) {
    return Corrupt(fmt::format("has {} rows where the log says {}", rows, slice_.rows));
  }
  return {};
}

Result<> SliceReader::OpenColumns() {
  // Without the schema that Arrow may have left in the file: what is stored counts.
  std::shared_ptr<arrow::Schema> stored;
  const auto understood = parquet::arrow::FromParquetSchema(
      metadata_->schema(), parquet::ArrowReaderProperties(), nullptr, &stored);
  if (!understood.ok()) {
    return Corrupt("has an unreadable schema: " + understood.message());
  }
  for (const auto& wanted : columns_.schema->fields()) {
    const auto field = stored->GetFieldByName(wanted->name());
    const int index = metadata_->schema()->ColumnIndex(wanted->name());
    if (field == nullptr || index < 0) {
      return Corrupt(fmt::format("has no column '{}'", wanted->name()));
    }
    if (!field->type()->Equals(wanted->type())) {
      return Corrupt(fmt::format("has column '{}' as {} where the lake has {}", wanted->name(),
                                 field->type()->ToString(), wanted->type()->ToString()));
    }
    auto reader = TRY(ColumnReader::Make(*metadata_->schema()->Column(index), wanted->type(),
                                         ColumnMemory{pool_, decompressor_}));
    readers_.push_back({.index = index, .reader = std::move(reader)});
  }
  return {};
}

std::unexpected<Error> SliceReader::Failed(Error error, size_t column) const {
  if (error.code == ErrorCode::kCorrupt || error.code == ErrorCode::kUnsupported) {
    error.message =
        fmt::format("cannot be read: column '{}' {}",
                    columns_.schema->field(static_cast<int>(column))->name(), error.message);
  }
  return std::unexpected(std::move(error));
}

Result<> SliceReader::Locate(int row_group, Loaded& into) const {
  const auto group = metadata_->RowGroup(row_group);
  into.row_group = row_group;
  into.chunks.clear();
  into.places.clear();
  for (const Column& column : readers_) {
    const auto chunk = group->ColumnChunk(column.index);
    const ByteRange range = RangeOf(*chunk);
    if (range.end() < range.offset || range.end() > object_->size() ||
        chunk->num_values() != group->num_rows()) {
      return Corrupt("has a column that is not where its footer says");
    }
    into.places.emplace_back(range.offset, range.bytes);
    into.chunks.push_back({.compression = parquet::Compression::UNCOMPRESSED,
                           .values = chunk->num_values(),
                           .uncompressed_bytes = chunk->total_uncompressed_size()});
    into.chunks.back().compression = static_cast<parquet::Compression::type>(chunk->compression());
  }
  return {};
}

Result<> SliceReader::Load(Loaded& into) {
  std::vector<ByteRange> ranges;
  for (const auto& [offset, bytes] : into.places) ranges.push_back({offset, bytes});
  std::vector<size_t> order(ranges.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t column) { return ranges[column].offset; });
  for (size_t i = 0, run = 0; i < order.size(); ++run) {
    ByteRange together = ranges[order[i]];
    size_t next = i + 1;
    for (; next < order.size() && ranges[order[next]].offset <= together.end() + gap_bytes_;
         ++next) {
      together.bytes = std::max(together.end(), ranges[order[next]].end()) - together.offset;
    }
    if (run == into.runs.size()) into.runs.emplace_back(pool_);
    auto* const bytes =
        reinterpret_cast<std::byte*>(into.runs[run].Take(static_cast<int64_t>(together.bytes)));
    if (TRY(object_->ReadAt(together.offset, {bytes, together.bytes})) != together.bytes) {
      return Corrupt("became shorter while it was read");
    }
    for (; i < next; ++i) {
      const ByteRange& range = ranges[order[i]];
      into.chunks[order[i]].bytes = {bytes + (range.offset - together.offset), range.bytes};
    }
  }
  return {};
}

void SliceReader::ReadAhead(int row_group) {
  if (!far_ || !Locate(row_group, ahead_).has_value()) return;
  reading_ahead_ = std::async(std::launch::async, [this] { return Load(ahead_); });
}

Result<> SliceReader::Take(int row_group) {
  if (reading_ahead_.valid()) {
    TRY(reading_ahead_.get());
    std::swap(at_hand_, ahead_);
  }
  if (at_hand_.row_group == row_group) return {};
  TRY(Locate(row_group, at_hand_));
  return Load(at_hand_);
}

uint64_t SliceReader::bytes_read() const {
  if (reading_ahead_.valid()) reading_ahead_.wait();
  return object_->bytes_read();
}

Result<> SliceReader::ReadTimes(int64_t rows) {
  Column& time = readers_[columns_.time_index];
  time.reader->Start(at_hand_.chunks[columns_.time_index]);
  auto read = time.reader->Read(rows);
  if (!read.has_value()) return Failed(std::move(read).error(), columns_.time_index);
  group_times_ = *std::move(read);
  if (group_times_->null_count() > 0) return Corrupt("has rows without a time");
  const int64_t* const times =
      static_cast<const arrow::TimestampArray&>(*group_times_).raw_values();
  if (times[0] < last_time_ || !std::is_sorted(times, times + rows)) {
    return Corrupt("is not sorted by time");
  }
  last_time_ = times[rows - 1];
  if (times[0] < Microseconds(slice_.min_time) || last_time_ > Microseconds(slice_.max_time)) {
    return Corrupt("has rows outside the times that the log says");
  }
  row_ = std::lower_bound(times, times + rows, Microseconds(range_.begin)) - times;
  end_ = std::lower_bound(times, times + rows, Microseconds(range_.end)) - times;
  const int64_t skipped = std::min(skip_, end_ - row_);
  skip_ -= skipped;
  row_ += skipped;
  return {};
}

Result<bool> SliceReader::NextRowGroup() {
  while (row_groups_read_ < slice_.row_groups) {
    if (last_time_ >= Microseconds(range_.end)) return false;
    const int row_group = slice_.first_row_group + row_groups_read_++;
    const int64_t rows = metadata_->RowGroup(row_group)->num_rows();
    if (rows == 0) continue;
    TRY(Take(row_group));
    TRY(ReadTimes(rows));
    const bool more = row_groups_read_ < slice_.row_groups && last_time_ < Microseconds(range_.end);
    if (more) ReadAhead(row_group + 1);
    if (row_ == end_) continue;
    for (size_t i = 0; i < readers_.size(); ++i) {
      if (static_cast<int>(i) == columns_.time_index) continue;
      readers_[i].reader->Start(at_hand_.chunks[i]);
      auto skipped = readers_[i].reader->Skip(row_);
      if (!skipped.has_value()) return Failed(std::move(skipped).error(), i);
    }
    return true;
  }
  return false;
}

Result<int64_t> SliceReader::BatchRows() {
  int64_t row_bytes = 1;
  for (size_t i = 0; i < readers_.size(); ++i) {
    if (static_cast<int>(i) == columns_.time_index) continue;
    auto bytes = readers_[i].reader->RowBytes();
    if (!bytes.has_value()) return Failed(std::move(bytes).error(), i);
    row_bytes += *bytes;
  }
  return std::min({kBatchRows, end_ - row_, kBatchBytes / row_bytes + 1});
}

Result<std::shared_ptr<arrow::RecordBatch>> SliceReader::Next() try {
  if (row_ == end_ && !TRY(NextRowGroup())) return nullptr;
  const int64_t rows = TRY(BatchRows());
  arrow::ArrayVector columns;
  for (size_t i = 0; i < readers_.size(); ++i) {
    if (static_cast<int>(i) == columns_.time_index) {
      columns.push_back(group_times_->Slice(row_, rows));
    } else {
      auto read = readers_[i].reader->Read(rows);
      if (!read.has_value()) return Failed(std::move(read).error(), i);
      columns.push_back(*std::move(read));
    }
  }
  times_ = static_cast<const arrow::TimestampArray&>(*columns[columns_.time_index]).raw_values();
  row_ += rows;
  return arrow::RecordBatch::Make(columns_.schema, rows, std::move(columns));
} catch (const parquet::ParquetException& thrown) {
  return Corrupt(fmt::format("has a broken page ({})", thrown.what()));
}

}  // namespace spillway::lake
