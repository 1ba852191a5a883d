#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/api_vector.h>
#include <arrow/io/interfaces.h>
#include <parquet/arrow/schema.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include "batch/number_text.h"
#include "format/column_names.h"
#include "format/format.h"
#include "format/parquet/dictionary_choice.h"
#include "format/parquet/wide_decimals.h"
#include "format/row/type_match.h"
#include "format/row/zone.h"

namespace spillway::format {
namespace {

/// About how much memory a row group takes in Arrow. Writers hold a whole one, and so do most
/// readers.
constexpr int64_t kBytesPerGroup = 128 << 20;

/// Hands what Arrow writes to the buffer of the call under way.
class BufferStream final : public arrow::io::OutputStream {
 public:
  /// `out` outlives the calls until the next Use. What was written before the first goes there too.
  void Use(Buffer& out) {
    out.Append(opening_.view());
    opening_.Clear();
    out_ = &out;
  }

  /// Discards what is written from now on.
  void Abandon() { out_ = nullptr; }

  arrow::Status Write(const void* data, int64_t bytes) override {
    if (out_ != nullptr) {
      out_->Append(std::string_view(static_cast<const char*>(data), static_cast<size_t>(bytes)));
    }
    position_ += bytes;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }

 private:
  Buffer opening_;
  Buffer* out_ = &opening_;
  int64_t position_ = 0;
  bool closed_ = false;
};

/// Runs a call into Arrow, whose failures are statuses and exceptions alike.
template <class Call>
Result<> Guard(Call call) {
  try {
    const arrow::Status status = call();
    if (status.ok()) return {};
    const ErrorCode code =
        status.IsOutOfMemory() ? ErrorCode::kOutOfSpace : ErrorCode::kInvalidArgument;
    return Fail(code, "parquet: " + status.message());
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kInternal, std::string("parquet: ") + error.what());
  }
}

class ParquetEncoder final : public Encoder {
 public:
  /// Batches are of the schema `given`, the file is of `schema`.
  ParquetEncoder(std::shared_ptr<arrow::Schema> given, std::shared_ptr<arrow::Schema> schema,
                 const ParquetOptions& options)
      : given_(std::move(given)),
        schema_(std::move(schema)),
        options_(options),
        stream_(std::make_shared<BufferStream>()) {}

  // Arrow's destructor writes a footer, as if an abandoned file were whole.
  ~ParquetEncoder() override { stream_->Abandon(); }

  Result<> Append(const arrow::RecordBatch& batch, Buffer& out) override {
    stream_->Use(out);
    return Guard([&]() -> arrow::Status {
      if (batch.num_rows() == 0) return arrow::Status::OK();
      ARROW_ASSIGN_OR_RAISE(const auto shown, InSchema(batch));
      if (writer_ == nullptr) ARROW_RETURN_NOT_OK(Open(shown.get()));
      return Collect(shown);
    });
  }

  Result<> Finish(Buffer& out) override {
    stream_->Use(out);
    return Guard([&]() -> arrow::Status {
      if (writer_ == nullptr) ARROW_RETURN_NOT_OK(Open(nullptr));
      ARROW_RETURN_NOT_OK(WriteGroup());
      return writer_->Close();
    });
  }

 private:
  // The first batch, where there is one, decides how columns are encoded.
  arrow::Status Open(const arrow::RecordBatch* first) {
    parquet::WriterProperties::Builder properties;
    properties.compression(parquet::Compression::ZSTD)
        ->compression_level(options_.zstd_level)
        ->max_row_group_length(options_.rows_per_group)
        ->enable_write_page_index();
    for (int i = 0; first != nullptr && i < first->num_columns(); ++i) {
      if (DictionaryPays(*first->column(i))) continue;
      const std::string& name = schema_->field(i)->name();
      properties.disable_dictionary(name);
      switch (first->column(i)->type_id()) {
        case arrow::Type::TIMESTAMP:  // Times of neighbouring rows differ by little.
          properties.encoding(name, parquet::Encoding::DELTA_BINARY_PACKED);
          break;
        case arrow::Type::STRING:
        case arrow::Type::BINARY:  // Texts compress better without their lengths between them.
          properties.encoding(name, parquet::Encoding::DELTA_LENGTH_BYTE_ARRAY);
          break;
        default:
          break;
      }
    }
    const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    return parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), stream_,
                                            properties.build(), arrow_properties)
        .Value(&writer_);
  }

  /// What its buffers hold in memory, which may be more than is used of them.
  static int64_t MemoryOf(const arrow::ArrayData& data) {
    int64_t bytes = 0;
    for (const auto& buffer : data.buffers) bytes += buffer == nullptr ? 0 : buffer->capacity();
    for (const auto& child : data.child_data) bytes += MemoryOf(*child);
    if (data.dictionary != nullptr) bytes += MemoryOf(*data.dictionary);
    return bytes;
  }

  static int64_t MemoryOf(const arrow::RecordBatch& batch) {
    int64_t bytes = 0;
    for (const auto& column : batch.column_data()) bytes += MemoryOf(*column);
    return bytes;
  }

  // Batches are collected until they are a row group, whose columns then go to the stream one after
  // the other. Arrow's buffered row groups would copy every compressed page twice more.
  arrow::Status Collect(std::shared_ptr<arrow::RecordBatch> batch) {
    const int64_t bytes = MemoryOf(*batch);
    if (group_bytes_ > 0 && group_bytes_ + bytes > kBytesPerGroup)
      ARROW_RETURN_NOT_OK(WriteGroup());
    while (group_rows_ + batch->num_rows() >= options_.rows_per_group) {
      const int64_t fitting = options_.rows_per_group - group_rows_;
      group_.push_back(batch->Slice(0, fitting));
      batch = batch->Slice(fitting);
      ARROW_RETURN_NOT_OK(WriteGroup());
    }
    if (batch->num_rows() == 0) return arrow::Status::OK();
    group_rows_ += batch->num_rows();
    group_bytes_ += bytes;
    group_.push_back(std::move(batch));
    return arrow::Status::OK();
  }

  arrow::Status WriteGroup() {
    if (group_.empty()) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto table, arrow::Table::FromRecordBatches(schema_, group_));
    group_.clear();
    group_rows_ = group_bytes_ = 0;
    ARROW_RETURN_NOT_OK(writer_->NewRowGroup());
    for (const auto& column : table->columns())
      ARROW_RETURN_NOT_OK(writer_->WriteColumnChunk(column));
    return arrow::Status::OK();
  }

  // The batch with the zone of the schema on its instants, and dictionaries and wide decimals as
  // text where the schema says text.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> InSchema(
      const arrow::RecordBatch& batch) const {
    if (batch.num_columns() != schema_->num_fields()) {
      return arrow::Status::Invalid("a batch of ", batch.num_columns(), " columns for a file of ",
                                    schema_->num_fields());
    }
    arrow::ArrayVector columns;
    for (int i = 0; i < batch.num_columns(); ++i) {
      const auto& type = schema_->field(i)->type();
      std::shared_ptr<arrow::Array> column = batch.column(i);
      const auto& given = given_->field(i)->type();
      if (!ReadsAlike(*column->type(), *given)) {
        return arrow::Status::Invalid("column \"", schema_->field(i)->name(), "\": a batch of ",
                                      column->type()->ToString(), " for a file of ",
                                      given->ToString());
      }
      if (IsWideDecimal(*column->type())) {
        ARROW_ASSIGN_OR_RAISE(column, WideDecimalsAsText(*column));
      } else if (column->type_id() == arrow::Type::DICTIONARY &&
                 type->id() != arrow::Type::DICTIONARY) {
        const auto& coded = static_cast<const arrow::DictionaryArray&>(*column);
        ARROW_ASSIGN_OR_RAISE(column, arrow::compute::Take(*coded.dictionary(), *coded.indices()));
      } else if (type->id() == arrow::Type::DICTIONARY) {
        ARROW_ASSIGN_OR_RAISE(const auto coded, arrow::compute::DictionaryEncode(column));
        column = coded.make_array();
      }
      ARROW_ASSIGN_OR_RAISE(column, column->View(type));
      columns.push_back(std::move(column));
    }
    return arrow::RecordBatch::Make(schema_, batch.num_rows(), std::move(columns));
  }

  std::shared_ptr<arrow::Schema> given_;
  std::shared_ptr<arrow::Schema> schema_;
  ParquetOptions options_;
  std::shared_ptr<BufferStream> stream_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  arrow::RecordBatchVector group_;
  int64_t group_rows_ = 0;
  int64_t group_bytes_ = 0;
};

class ParquetFormat final : public Format {
 public:
  explicit ParquetFormat(ParquetOptions options) : options_(std::move(options)) {}

  std::string_view extension() const override { return ".parquet"; }
  bool joinable() const override { return false; }

  Result<std::unique_ptr<Encoder>> NewEncoder(const arrow::Schema& schema,
                                              Position) const override {
    TRY(CheckColumnNames(schema, "Parquet"));
    arrow::FieldVector fields;
    for (const auto& field : schema.fields()) {
      fields.push_back(Shown(field));
      TRY(CheckType(fields.back()));
    }
    return std::make_unique<ParquetEncoder>(arrow::schema(schema.fields()),
                                            arrow::schema(std::move(fields)), options_);
  }

 private:
  static Result<> CheckType(const std::shared_ptr<arrow::Field>& field) {
    std::shared_ptr<parquet::SchemaDescriptor> unused;
    const auto alone = arrow::schema({field});
    const auto status = parquet::arrow::ToParquetSchema(
        alone.get(), *parquet::default_writer_properties(), &unused);
    if (status.ok()) return {};
    return Fail(ErrorCode::kUnsupported, "column \"" + field->name() +
                                             "\": Parquet has no type for " +
                                             field->type()->ToString() + "; leave the column out");
  }

  // The field as the file has it.
  std::shared_ptr<arrow::Field> Shown(const std::shared_ptr<arrow::Field>& field) const {
    if (IsWideDecimal(*field->type())) return batch::NumberTextField(field->name());
    if (field->type()->id() != arrow::Type::TIMESTAMP) return field;
    const auto& type = static_cast<const arrow::TimestampType&>(*field->type());
    return type.timezone().empty()
               ? field
               : field->WithType(arrow::timestamp(type.unit(), options_.time_zone));
  }

  ParquetOptions options_;
};

}  // namespace

Result<std::unique_ptr<Format>> NewParquetFormat(ParquetOptions options) {
  if (options.rows_per_group < 1)
    return Fail(ErrorCode::kInvalidArgument, "parquet: a row group has at least one row");
  if (options.zstd_level < 1 || options.zstd_level > 19) {
    return Fail(ErrorCode::kInvalidArgument, "parquet: zstd level " +
                                                 std::to_string(options.zstd_level) +
                                                 " does not exist; use 1 (fast) to 19 (small)");
  }
  TRY(Zone::Find(options.time_zone));
  return std::make_unique<ParquetFormat>(std::move(options));
}

}  // namespace spillway::format
