#include "lake/ingest/data_file_writer.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <arrow/api.h>
#include <arrow/io/interfaces.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "base/buffer.h"

namespace spillway::lake {
namespace {

constexpr size_t kWriteBytes = 1 << 20;
constexpr int64_t kMicrosADay = 86'400'000'000;
/// Rows looked at to tell whether a column's values repeat.
constexpr int64_t kSampleRows = 256;
constexpr int64_t kRowGroupBytesMax = 128 << 20;

Error FromArrow(const arrow::Status& status, std::string_view key) {
  return {.code = status.IsOutOfMemory() ? ErrorCode::kOutOfSpace : ErrorCode::kInternal,
          .message = std::string(key) + ": " + status.ToString()};
}

/// Hands Parquet's bytes to an object, in large writes. Keeps the store's own error.
class ObjectOutput final : public arrow::io::OutputStream {
 public:
  explicit ObjectOutput(std::unique_ptr<storage::ObjectWriter> writer)
      : writer_(std::move(writer)) {}

  arrow::Status Write(const void* data, int64_t bytes) override {
    buffer_.Append({static_cast<const char*>(data), static_cast<size_t>(bytes)});
    position_ += bytes;
    return buffer_.size() >= kWriteBytes ? Drain() : arrow::Status::OK();
  }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Close() override {
    closed_ = true;
    return Drain();
  }
  bool closed() const override { return closed_; }

  const std::optional<Error>& error() const { return error_; }
  Result<storage::ObjectInfo> Publish() { return writer_->Finish(); }

 private:
  arrow::Status Drain() {
    if (error_) return arrow::Status::IOError(error_->message);
    if (buffer_.empty()) return arrow::Status::OK();
    auto written = writer_->Write(buffer_.bytes());
    buffer_.Clear();
    if (written) return arrow::Status::OK();
    error_ = std::move(written).error();
    return arrow::Status::IOError(error_->message);
  }

  std::unique_ptr<storage::ObjectWriter> writer_;
  Buffer buffer_;
  int64_t position_ = 0;
  bool closed_ = false;
  std::optional<Error> error_;
};

/// Turns what Parquet throws into a status.
template <class Call>
arrow::Status Guarded(Call call) {
  try {
    return call();
  } catch (const parquet::ParquetException& error) {
    return arrow::Status::UnknownError(error.what());
  }
}

/// Whether at least half of a sample's values appeared before.
bool Repeats(const arrow::Array& array) {
  const int64_t rows = std::min(array.length(), kSampleRows);
  if (array.type_id() == arrow::Type::STRING) {
    const auto& strings = static_cast<const arrow::StringArray&>(array);
    std::unordered_set<std::string_view> values;
    for (int64_t i = 0; i < rows; ++i) values.insert(strings.GetView(i));
    return static_cast<int64_t>(values.size()) * 2 <= rows;
  }
  if (array.type_id() == arrow::Type::BOOL) return false;
  const auto& fixed = static_cast<const arrow::FixedWidthType&>(*array.type());
  const auto width = static_cast<size_t>(fixed.bit_width()) / 8;
  const auto* bytes = reinterpret_cast<const char*>(array.data()->buffers[1]->data()) +
                      static_cast<size_t>(array.offset()) * width;
  std::unordered_set<std::string_view> values;
  for (int64_t i = 0; i < rows; ++i) values.insert({bytes + static_cast<size_t>(i) * width, width});
  return static_cast<int64_t>(values.size()) * 2 <= rows;
}

int64_t BytesOf(const arrow::RecordBatch& batch) {
  int64_t bytes = 0;
  for (const auto& column : batch.columns()) {
    bytes += column->type_id() == arrow::Type::STRING
                 ? static_cast<const arrow::StringArray&>(*column).total_values_length()
                 : column->length() * static_cast<int64_t>(sizeof(int64_t));
  }
  return bytes;
}

std::shared_ptr<parquet::WriterProperties> FileProperties(const LakeSchema& schema,
                                                          const arrow::RecordBatch& sample,
                                                          const DataFileOptions& options) {
  parquet::WriterProperties::Builder builder;
  builder.compression(parquet::Compression::ZSTD)
      ->compression_level(options.zstd_level)
      ->max_row_group_length(options.row_group_rows)
      ->max_rows_per_page(options.page_rows)
      ->enable_write_page_index()
      ->enable_page_checksum();
  for (int i = 0; i < sample.num_columns(); ++i) {
    const std::string& name = sample.schema()->field(i)->name();
    if (!Repeats(*sample.column(i))) builder.disable_dictionary(name);
  }
  const int time = schema.columns->GetFieldIndex(schema.time_column);
  builder.set_sorting_columns({parquet::SortingColumn{time, false, false}});
  return builder.build();
}

}  // namespace

class DataFileWriter::Implementation {
 public:
  Implementation(std::unique_ptr<storage::ObjectWriter> object, const LakeSchema& schema,
                 DataFile file, const DataFileOptions& options)
      : schema_(schema),
        options_(options),
        file_(std::move(file)),
        output_(std::make_shared<ObjectOutput>(std::move(object))) {
    last_time_ = file_.day * kMicrosADay;
  }

  Result<> Write(const arrow::RecordBatch& batch) {
    const auto named = arrow::RecordBatch::Make(schema_.columns, batch.num_rows(), batch.columns());
    if (const auto valid = named->Validate(); !valid.ok())
      return std::unexpected(FromArrow(valid, file_.key));
    TRY(CheckTimes(*named));
    for (int64_t offset = 0; offset < batch.num_rows();) {
      const int64_t rows =
          std::min(batch.num_rows() - offset, options_.row_group_rows - pending_rows_);
      auto part = named->Slice(offset, rows);
      const int64_t bytes = BytesOf(*part);
      if (pending_rows_ > 0 && pending_bytes_ + bytes > kRowGroupBytesMax) {
        TRY(WriteRowGroup());
        continue;
      }
      pending_.push_back(std::move(part));
      pending_rows_ += rows;
      pending_bytes_ += bytes;
      offset += rows;
      if (pending_rows_ == options_.row_group_rows) TRY(WriteRowGroup());
    }
    return {};
  }

  Result<> Close() {
    if (closed_) return {};
    if (pending_rows_ > 0) TRY(WriteRowGroup());
    if (writer_ == nullptr) return Fail(ErrorCode::kInternal, file_.key + " has no rows");
    TRY(Check(Guarded([&] { return writer_->Close(); })));
    TRY(Check(output_->Close()));
    TRY(TakeRowGroupBytes());
    closed_ = true;
    return {};
  }

  Result<DataFile> Finish() {
    TRY(Close());
    const storage::ObjectInfo info = TRY(output_->Publish());
    file_.bytes = info.bytes;
    return std::move(file_);
  }

 private:
  Result<> CheckTimes(const arrow::RecordBatch& batch) {
    const auto column = batch.GetColumnByName(schema_.time_column);
    const auto& times = static_cast<const arrow::TimestampArray&>(*column);
    const int64_t* values = times.raw_values();
    int64_t last = last_time_;
    bool in_order = times.null_count() == 0;
    for (int64_t i = 0; i < times.length(); ++i) {
      in_order &= values[i] >= last;
      last = values[i];
    }
    if (!in_order || last >= (int64_t{file_.day} + 1) * kMicrosADay) {
      return Fail(ErrorCode::kInternal, file_.key + ": rows out of their order or day");
    }
    last_time_ = last;
    return {};
  }

  Result<> Check(const arrow::Status& status) const {
    if (status.ok()) return {};
    if (output_->error()) return std::unexpected(*output_->error());
    return std::unexpected(FromArrow(status, file_.key));
  }

  Result<> Open() {
    const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    auto writer = parquet::arrow::FileWriter::Open(
        *schema_.columns, arrow::default_memory_pool(), output_,
        FileProperties(schema_, *pending_.front(), options_), arrow_properties);
    if (!writer.ok()) return std::unexpected(FromArrow(writer.status(), file_.key));
    writer_ = std::move(writer).ValueUnsafe();
    return {};
  }

  Result<> WriteRowGroup() {
    if (writer_ == nullptr) TRY(Open());
    auto table = arrow::Table::FromRecordBatches(schema_.columns, pending_);
    if (!table.ok()) return std::unexpected(FromArrow(table.status(), file_.key));
    TRY(Check(Guarded([&] { return writer_->WriteTable(**table, pending_rows_); })));
    const auto time_of = [&](const arrow::RecordBatch& batch, int64_t row) {
      const auto column = batch.GetColumnByName(schema_.time_column);
      return Timestamp(
          std::chrono::microseconds(static_cast<const arrow::TimestampArray&>(*column).Value(row)));
    };
    file_.row_groups.push_back(
        {.rows = pending_rows_,
         .min_time = time_of(*pending_.front(), 0),
         .max_time = time_of(*pending_.back(), pending_.back()->num_rows() - 1)});
    pending_.clear();
    pending_rows_ = 0;
    pending_bytes_ = 0;
    return {};
  }

  Result<> TakeRowGroupBytes() {
    const auto metadata = writer_->metadata();
    if (metadata->num_row_groups() != static_cast<int>(file_.row_groups.size())) {
      return Fail(ErrorCode::kInternal, file_.key + ": row groups were lost in writing");
    }
    for (int i = 0; i < metadata->num_row_groups(); ++i) {
      const auto group = metadata->RowGroup(i);
      RowGroup& known = file_.row_groups[static_cast<size_t>(i)];
      if (group->num_rows() != known.rows) {
        return Fail(ErrorCode::kInternal, file_.key + ": rows were lost in writing");
      }
      known.bytes = static_cast<uint64_t>(group->total_compressed_size());
    }
    return {};
  }

  const LakeSchema& schema_;
  const DataFileOptions options_;
  DataFile file_;
  std::shared_ptr<ObjectOutput> output_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> pending_;
  int64_t pending_rows_ = 0;
  int64_t pending_bytes_ = 0;
  bool closed_ = false;
  int64_t last_time_ = 0;
};

Result<std::unique_ptr<DataFileWriter>> DataFileWriter::Create(storage::ObjectStore& store,
                                                               const LakeSchema& schema,
                                                               DataFile file,
                                                               const DataFileOptions& options) {
  auto object = TRY(store.Create(file.key, storage::Overwrite::kNever));
  return std::unique_ptr<DataFileWriter>(new DataFileWriter(
      std::make_unique<Implementation>(std::move(object), schema, std::move(file), options)));
}

DataFileWriter::DataFileWriter(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
DataFileWriter::~DataFileWriter() = default;

Result<> DataFileWriter::Write(const arrow::RecordBatch& batch) {
  return implementation_->Write(batch);
}

Result<> DataFileWriter::Close() { return implementation_->Close(); }

Result<DataFile> DataFileWriter::Finish() { return implementation_->Finish(); }

}  // namespace spillway::lake
