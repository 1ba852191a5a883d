#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/api.h>
#include <parquet/properties.h>

#include "base/clock.h"
#include "lake/lake.h"
#include "lake/read/read_plan.h"
#include "lake/read/scan.h"
#include "storage/memory/memory_store.h"

namespace spillway::lake {

/// One message of a sample lake. Its other columns follow from `id`.
struct SampleRow {
  int64_t time = 0;  ///< Microseconds of UTC.
  std::string id;
};

/// A lake in memory for tests, which puts files exactly as they are given.
class SampleLake {
 public:
  SampleLake();

  /// Columns: id, time, kind (one of three), note (nullable text), size (int64, nullable).
  const LakeSchema& schema() const { return schema_; }
  storage::MemoryStore& store() { return store_; }

  /// What the columns of these rows hold, under the schema's names.
  std::shared_ptr<arrow::RecordBatch> Columns(std::span<const SampleRow> rows) const;

  /// Puts a file of rows sorted by time, all of one day.
  DataFile Put(const std::string& key, std::span<const SampleRow> rows, int64_t rows_per_group,
               std::shared_ptr<parquet::WriterProperties> properties = nullptr);

  /// Puts a batch of any columns, with what the log would say of it when `times` are its times.
  DataFile PutColumns(const std::string& key, const arrow::RecordBatch& columns,
                      std::span<const int64_t> times, int64_t rows_per_group,
                      std::shared_ptr<parquet::WriterProperties> properties = nullptr);

  std::string Bytes(const std::string& key);
  void PutBytes(const std::string& key, std::string_view bytes);

  /// Projects the schema's own columns in their order.
  Projection Everything() const;

  /// The ids that a scan of the unit hands out, in order. Also checks the other columns.
  /// `bytes_read` takes what Scan returned.
  Result<std::vector<std::string>> ScanIds(const ReadUnit& unit) { return ScanIds(unit, store_); }
  Result<std::vector<std::string>> ScanIds(const ReadUnit& unit, storage::ObjectStore& from,
                                           uint64_t* bytes_read = nullptr);

 private:
  SystemClock clock_;
  storage::MemoryPlace place_;
  storage::MemoryStore store_;
  LakeSchema schema_;
};

/// The rows of one whole file as a unit.
ReadUnit WholeFile(const DataFile& file);

}  // namespace spillway::lake
