#include "lake/sample_lake.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

namespace spillway::lake {
namespace {

constexpr int64_t kDay = 86'400'000'000;

std::string KindOf(const std::string& id) {
  static constexpr const char* kKinds[] = {"sms", "voice", "émail"};
  return kKinds[std::hash<std::string>()(id) % 3];
}

std::optional<std::string> NoteOf(const std::string& id) {
  const size_t hash = std::hash<std::string>()(id + "note");
  if (hash % 5 == 0) return std::nullopt;
  return std::string(hash % 83, static_cast<char>('a' + hash % 26)) + id;
}

std::optional<int64_t> SizeOf(const std::string& id) {
  const size_t hash = std::hash<std::string>()(id + "size");
  if (hash % 7 == 0) return std::nullopt;
  return static_cast<int64_t>(hash % 1'000'003);
}

Timestamp Instant(int64_t microseconds) {
  return Timestamp(std::chrono::microseconds(microseconds));
}

std::string_view TextAt(const arrow::Array& column, int64_t row) {
  return static_cast<const arrow::StringArray&>(column).GetView(row);
}

}  // namespace

SampleLake::SampleLake() : store_(place_, clock_) {
  schema_.organisation_field = "organisation";
  schema_.time_column = "time";
  schema_.columns = arrow::schema({
      arrow::field("id", arrow::utf8(), false),
      arrow::field("time", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), false),
      arrow::field("kind", arrow::utf8()),
      arrow::field("note", arrow::utf8()),
      arrow::field("size", arrow::int64()),
  });
}

std::shared_ptr<arrow::RecordBatch> SampleLake::Columns(std::span<const SampleRow> rows) const {
  arrow::StringBuilder ids, kinds, notes;
  arrow::TimestampBuilder times(schema_.columns->field(1)->type(), arrow::default_memory_pool());
  arrow::Int64Builder sizes;
  for (const SampleRow& row : rows) {
    const auto note = NoteOf(row.id);
    const auto size = SizeOf(row.id);
    EXPECT_TRUE(ids.Append(row.id).ok() && times.Append(row.time).ok());
    EXPECT_TRUE(kinds.Append(KindOf(row.id)).ok());
    EXPECT_TRUE((note ? notes.Append(*note) : notes.AppendNull()).ok());
    EXPECT_TRUE((size ? sizes.Append(*size) : sizes.AppendNull()).ok());
  }
  return arrow::RecordBatch::Make(
      schema_.columns, std::ssize(rows),
      {*ids.Finish(), *times.Finish(), *kinds.Finish(), *notes.Finish(), *sizes.Finish()});
}

DataFile SampleLake::Put(const std::string& key, std::span<const SampleRow> rows,
                         int64_t rows_per_group,
                         std::shared_ptr<parquet::WriterProperties> properties) {
  std::vector<int64_t> times;
  for (const SampleRow& row : rows) times.push_back(row.time);
  return PutColumns(key, *Columns(rows), times, rows_per_group, std::move(properties));
}

DataFile SampleLake::PutColumns(const std::string& key, const arrow::RecordBatch& columns,
                                std::span<const int64_t> times, int64_t rows_per_group,
                                std::shared_ptr<parquet::WriterProperties> properties) {
  if (properties == nullptr) {
    properties =
        parquet::WriterProperties::Builder().compression(arrow::Compression::ZSTD)->build();
  }
  auto sink = *arrow::io::BufferOutputStream::Create();
  auto table = *arrow::Table::FromRecordBatches({columns.Slice(0)});
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, rows_per_group,
                                         properties)
                  .ok());
  const auto bytes = *sink->Finish();
  PutBytes(key, std::string_view(*bytes));

  DataFile file = {.key = key,
                   .organisation = "sample",
                   .day = static_cast<int32_t>(times.front() / kDay),
                   .bytes = static_cast<uint64_t>(bytes->size())};
  for (int64_t at = 0; at < std::ssize(times); at += rows_per_group) {
    const int64_t rows = std::min<int64_t>(rows_per_group, std::ssize(times) - at);
    file.row_groups.push_back({.rows = rows,
                               .bytes = static_cast<uint64_t>(rows),
                               .min_time = Instant(times[at]),
                               .max_time = Instant(times[at + rows - 1])});
  }
  return file;
}

std::string SampleLake::Bytes(const std::string& key) {
  auto reader = store_.Open(key, {}).value();
  std::string bytes(reader->size(), '\0');
  EXPECT_TRUE(reader->ReadAt(0, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

void SampleLake::PutBytes(const std::string& key, std::string_view bytes) {
  auto writer = store_.Create(key, storage::Overwrite::kAllowed).value();
  EXPECT_TRUE(writer->Write(std::as_bytes(std::span(bytes))));
  EXPECT_TRUE(writer->Finish());
}

Projection SampleLake::Everything() const {
  Projection projection;
  for (const auto& name : schema_.columns->field_names()) {
    projection.columns.push_back({.source = name, .name = name});
  }
  return projection;
}

Result<std::vector<std::string>> SampleLake::ScanIds(const ReadUnit& unit,
                                                     storage::ObjectStore& from,
                                                     uint64_t* bytes_read) {
  std::vector<std::string> ids;
  const uint64_t read = TRY(
      Scan(from, schema_, unit, Everything(), {}, [&](const arrow::RecordBatch& batch) -> Result<> {
        EXPECT_TRUE(batch.ValidateFull().ok()) << batch.ValidateFull().message();
        EXPECT_EQ(batch.schema()->field_names(), schema_.columns->field_names());
        EXPECT_TRUE(batch.num_rows() > 0 && batch.num_rows() <= 16384) << batch.num_rows();
        const auto& sizes = static_cast<const arrow::Int64Array&>(*batch.column(4));
        for (int64_t row = 0; row < batch.num_rows(); ++row) {
          const std::string id(TextAt(*batch.column(0), row));
          const auto note = NoteOf(id);
          const auto size = SizeOf(id);
          EXPECT_EQ(TextAt(*batch.column(2), row), KindOf(id)) << id;
          EXPECT_EQ(batch.column(3)->IsNull(row), !note.has_value()) << id;
          EXPECT_TRUE(!note || TextAt(*batch.column(3), row) == *note) << id;
          EXPECT_EQ(sizes.IsNull(row), !size.has_value()) << id;
          EXPECT_TRUE(!size || sizes.Value(row) == *size) << id;
          ids.push_back(id);
        }
        return {};
      }));
  if (bytes_read != nullptr) *bytes_read = read;
  return ids;
}

ReadUnit WholeFile(const DataFile& file) {
  ReadUnit unit = {.range = {file.min_time(), file.max_time() + std::chrono::microseconds(1)},
                   .rows = file.rows()};
  unit.slices.push_back({.key = file.key,
                         .file_bytes = file.bytes,
                         .row_groups = static_cast<int32_t>(file.row_groups.size()),
                         .rows = file.rows(),
                         .min_time = file.min_time(),
                         .max_time = file.max_time()});
  return unit;
}

}  // namespace spillway::lake
