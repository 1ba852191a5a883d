#include "lake/compaction/adopted_file.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <fmt/format.h>
#include <parquet/arrow/schema.h>
#include <parquet/encoding.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "lake/column/column_reader.h"
#include "lake/ingest/parquet_input.h"
#include "lake/log/data_file_name.h"
#include "lake/read/slice_reader.h"

namespace spillway::lake {
namespace {

class AdoptedFile {
 public:
  AdoptedFile(storage::ObjectStore& store, const storage::ObjectInfo& object,
              const LakeSchema& schema)
      : store_(store), schema_(schema), file_{.key = object.key, .bytes = object.bytes} {}

  Result<DataFile> Read(std::string organisation, const std::optional<std::string>& day,
                        const std::stop_token& stop) {
    file_.organisation = std::move(organisation);
    if (file_.bytes == 0) return Refuse("it is empty");
    TRY(ReadFooter(stop));
    auto read = ReadRows(stop);
    if (!read.has_value()) {
      const Error& error = read.error();
      const bool of_the_file =
          error.code == ErrorCode::kCorrupt || error.code == ErrorCode::kUnsupported;
      if (of_the_file) return Refuse("it " + error.message);
      return std::unexpected(std::move(read).error());
    }
    TRY(CheckDay(day));
    return std::move(file_);
  }

 private:
  std::unexpected<Error> Refuse(std::string_view reason) const {
    return RefuseAdoption(file_.key, reason);
  }

  /// Checks by the footer that a scan could read the lake's columns.
  Result<> ReadFooter(const std::stop_token& stop) {
    const auto object = TRY(store_.Open(file_.key, stop));
    const auto input = std::make_shared<ParquetInput>(*object);
    try {
      const auto metadata = parquet::ParquetFileReader::Open(input)->metadata();
      TRY(CheckColumns(*metadata));
      for (int i = 0; i < metadata->num_row_groups(); ++i) {
        const auto group = metadata->RowGroup(i);
        if (group->num_rows() == 0) return Refuse(fmt::format("its row group {} is empty", i));
        TRY(CheckChunks(*group));
        file_.row_groups.push_back(
            {.rows = group->num_rows(),
             .bytes = static_cast<uint64_t>(group->total_compressed_size())});
      }
    } catch (const std::exception& error) {
      if (auto cause = input->TakeError()) return std::unexpected(*std::move(cause));
      return Refuse(fmt::format("it is no readable Parquet file ({})", error.what()));
    }
    if (file_.row_groups.empty()) return Refuse("it has no rows");
    return {};
  }

  /// Compares the types that are stored, whatever schema Arrow has added to the file. Strings may
  /// be large or in dictionaries.
  Result<> CheckColumns(const parquet::FileMetaData& metadata) const {
    std::shared_ptr<arrow::Schema> stored;
    const auto status = parquet::arrow::FromParquetSchema(
        metadata.schema(), parquet::ArrowReaderProperties(), nullptr, &stored);
    if (!status.ok()) return Refuse(status.message());
    Decompressor decompressor;
    for (const auto& field : schema_.columns->fields()) {
      const auto found = stored->GetFieldByName(field->name());
      if (found == nullptr) return Refuse(fmt::format("it has no column {:?}", field->name()));
      if (!found->type()->Equals(field->type())) {
        return Refuse(fmt::format("column {:?} is {}, the lake's is {}", field->name(),
                                  found->type()->ToString(), field->type()->ToString()));
      }
      const auto& column =
          *metadata.schema()->Column(metadata.schema()->ColumnIndex(field->name()));
      if (!ColumnReader::Make(column, field->type(),
                              {*arrow::default_memory_pool(), decompressor})) {
        return Refuse(fmt::format("column {:?} is {} stored as {}, which cannot be read",
                                  field->name(), field->type()->ToString(),
                                  parquet::TypeToString(column.physical_type())));
      }
    }
    return {};
  }

  /// Checks that Scan can read the compression and the encodings of the pages.
  Result<> CheckChunks(const parquet::RowGroupMetaData& group) const {
    for (const std::string& name : schema_.columns->field_names()) {
      const auto chunk = group.ColumnChunk(group.schema()->ColumnIndex(name));
      if (!Decompressor::Knows(static_cast<parquet::Compression::type>(chunk->compression()))) {
        return Refuse(fmt::format("column {:?} has a compression that cannot be read", name));
      }
      auto known = parquet::SupportedEncodings(chunk->type());
      known.insert(known.end(),
                   {parquet::Encoding::PLAIN_DICTIONARY, parquet::Encoding::RLE_DICTIONARY,
                    parquet::Encoding::RLE,  // Of levels.
                    parquet::Encoding::BIT_PACKED});
      for (const parquet::Encoding::type encoding : chunk->encodings()) {
        if (std::ranges::find(known, encoding) != known.end()) continue;
        return Refuse(fmt::format("column {:?} is encoded as {}, which cannot be read", name,
                                  parquet::EncodingToString(encoding)));
      }
    }
    return {};
  }

  /// Reads every row as Scan would, and takes the times of each row group.
  Result<> ReadRows(const std::stop_token& stop) {
    const int time = schema_.columns->GetFieldIndex(schema_.time_column);
    const Slice slice{.key = file_.key,
                      .file_bytes = file_.bytes,
                      .first_row_group = 0,
                      .row_groups = static_cast<int32_t>(file_.row_groups.size()),
                      .rows = file_.rows(),
                      .min_time = Timestamp::min(),
                      .max_time = Timestamp::max()};
    const auto reader = TRY(SliceReader::Open(store_, slice, {Timestamp::min(), Timestamp::max()},
                                              {.schema = schema_.columns, .time_index = time},
                                              *arrow::default_memory_pool(), stop));
    size_t group = 0;
    int64_t row = 0;  // Of the row group; no batch holds rows of two.
    while (const auto batch = TRY(reader->Next())) {
      if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the adoption was cancelled");
      TRY(CheckText(*batch));
      const int64_t* const times = reader->times();
      RowGroup& at_hand = file_.row_groups[group];
      if (row == 0) at_hand.min_time = Timestamp(std::chrono::microseconds(times[0]));
      row += batch->num_rows();
      at_hand.max_time = Timestamp(std::chrono::microseconds(times[batch->num_rows() - 1]));
      if (row < at_hand.rows) continue;
      ++group;
      row = 0;
    }
    if (group < file_.row_groups.size()) return Refuse("its time column lacks rows");
    if (file_.min_time() < kTimeMin || file_.max_time() > kTimeMax) {
      return Refuse("it has times outside the years 1 to 9999");
    }
    return {};
  }

  Result<> CheckText(const arrow::RecordBatch& batch) const {
    for (int i = 0; i < batch.num_columns(); ++i) {
      if (schema_.columns->field(i)->type()->id() != arrow::Type::STRING) continue;
      const auto& text = static_cast<const arrow::StringArray&>(*batch.column(i));
      if (text.ValidateUTF8().ok()) continue;
      return Refuse(
          fmt::format("column {:?} has text that is not UTF-8", schema_.columns->field(i)->name()));
    }
    return {};
  }

  Result<> CheckDay(const std::optional<std::string>& partition) {
    const auto first = std::chrono::floor<std::chrono::days>(file_.min_time());
    const auto last = std::chrono::floor<std::chrono::days>(file_.max_time());
    file_.day = static_cast<int32_t>(first.time_since_epoch().count());
    if (first != last) {
      return Refuse(fmt::format("its times reach from {} to {}, more than one UTC day",
                                FormatTimestamp(file_.min_time()),
                                FormatTimestamp(file_.max_time())));
    }
    const bool is_date = partition && partition->size() == 10 && (*partition)[4] == '-';
    if (is_date && *partition != FormatDay(file_.day)) {
      return Refuse(
          fmt::format("it holds rows of {} UTC, not of {:?}", FormatDay(file_.day), *partition));
    }
    return {};
  }

  storage::ObjectStore& store_;
  const LakeSchema& schema_;
  DataFile file_;
};

}  // namespace

std::unexpected<Error> RefuseAdoption(std::string_view key, std::string_view reason) {
  std::string line(reason);
  std::ranges::replace(line, '\n', ' ');
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} cannot be adopted: {}", key, line));
}

Result<DataFile> ReadForAdoption(storage::ObjectStore& store, const storage::ObjectInfo& object,
                                 const LakeSchema& schema, std::string organisation,
                                 const std::optional<std::string>& day, std::stop_token stop) {
  return AdoptedFile(store, object, schema).Read(std::move(organisation), day, stop);
}

}  // namespace spillway::lake
