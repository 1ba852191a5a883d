#include "source/lake/slice_reader.h"

#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/properties.h>

#include "source/lake/parquet_input.h"

namespace spillway::lake {

std::unexpected<Error> FailDataFile(std::string_view key, std::string_view what) {
  return Fail(ErrorCode::kCorrupt, "lake file " + std::string(key) + " " + std::string(what) +
                                       "; restore the file from a backup");
}

namespace {

class ArrowSliceReader final : public SliceReader {
 public:
  ArrowSliceReader(std::string key, std::shared_ptr<ParquetInput> input)
      : key_(std::move(key)), input_(std::move(input)) {}

  Result<> Start(const Slice& slice, const arrow::Schema& columns, bool dictionaries) {
    arrow::Status status = TryStart(slice, columns, dictionaries);
    if (!status.ok()) return Failed(status.message());
    return {};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    std::shared_ptr<arrow::RecordBatch> batch;
    try {
      arrow::Status status = batches_->ReadNext(&batch);
      if (!status.ok()) return Failed(status.message());
    } catch (const parquet::ParquetException& e) {
      return Failed(e.what());
    }
    return batch;
  }

 private:
  std::unexpected<Error> Failed(std::string_view what) {
    if (auto error = input_->TakeError()) return std::unexpected(*std::move(error));
    return FailDataFile(key_, what);
  }

  arrow::Status TryStart(const Slice& slice, const arrow::Schema& columns, bool dictionaries) try {
    parquet::arrow::FileReaderBuilder builder;
    ARROW_RETURN_NOT_OK(builder.Open(input_));
    auto metadata = builder.raw_reader()->metadata();
    if (slice.first_row_group + slice.row_groups > metadata->num_row_groups()) {
      return arrow::Status::Invalid(
          fmt::format("has {} row groups, the log says more", metadata->num_row_groups()));
    }
    std::vector<int> groups(slice.row_groups), indices;
    std::iota(groups.begin(), groups.end(), slice.first_row_group);
    int64_t rows = 0;
    for (int group : groups) rows += metadata->RowGroup(group)->num_rows();
    if (rows != slice.rows) {
      return arrow::Status::Invalid(
          fmt::format("has {} rows where the log says {}", rows, slice.rows));
    }
    parquet::ArrowReaderProperties properties(false);
    properties.set_batch_size(kBatchRows);
    for (const auto& field : columns.fields()) {
      int index = metadata->schema()->ColumnIndex(field->name());
      if (index < 0) return arrow::Status::Invalid("has no column '" + field->name() + "'");
      indices.push_back(index);
      if (field->type()->id() == arrow::Type::STRING)
        properties.set_read_dictionary(index, dictionaries);
    }
    builder.properties(properties);
    ARROW_ASSIGN_OR_RAISE(reader_, builder.Build());
    ARROW_ASSIGN_OR_RAISE(batches_, reader_->GetRecordBatchReader(groups, indices));
    return arrow::Status::OK();
  } catch (const parquet::ParquetException& e) {
    return arrow::Status::Invalid(e.what());
  }

  std::string key_;
  std::shared_ptr<ParquetInput> input_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
};

}  // namespace

Result<std::unique_ptr<SliceReader>> SliceReader::Open(storage::ObjectStore& store,
                                                       const Slice& slice,
                                                       const arrow::Schema& columns,
                                                       bool dictionaries) {
  auto opened = store.Open(slice.key);
  if (!opened.has_value()) {
    if (opened.error().code != ErrorCode::kNotFound)
      return std::unexpected(std::move(opened).error());
    return FailDataFile(slice.key, "is gone, though the log names it");
  }
  const uint64_t bytes = (*opened)->size();
  if (bytes != slice.file_bytes) {
    return FailDataFile(
        slice.key, fmt::format("has {} bytes where the log says {}: it was cut short or changed",
                               bytes, slice.file_bytes));
  }
  auto reader = std::make_unique<ArrowSliceReader>(
      slice.key, std::make_shared<ParquetInput>(*std::move(opened)));
  TRY(reader->Start(slice, columns, dictionaries));
  return reader;
}

}  // namespace spillway::lake
