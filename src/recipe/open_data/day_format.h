#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <arrow/type_fwd.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"
#include "envelope/envelope.h"
#include "format/format.h"
#include "recipe/open_data/location_day.h"
#include "storage/object_store.h"

namespace spillway::recipe::open_data {

/// "csv", "csv.gz" or "parquet": how a day's readings are written. Immutable, thread-safe.
class DayFormat {
 public:
  /// kInvalidArgument for a name that is none.
  static Result<DayFormat> Make(std::string_view name);

  const std::string& name() const { return name_; }

  /// D4: records/csv.gz/locationid=12/year=2024/month=01/location-12-20240131.csv.gz
  std::string KeyOf(const LocationDay& day) const;

  const format::Format& format() const { return *format_; }
  const envelope::Envelope& envelope() const { return *envelope_; }

 private:
  std::string name_;
  std::unique_ptr<format::Format> format_;
  std::unique_ptr<envelope::Envelope> envelope_;
};

/// "csv.gz,parquet": their names in alphabetical order.
std::string FormatsOf(std::span<const DayFormat> formats);

/// One file of a day in the making: in memory, or, from a size on, on its way to the store. Nothing
/// is in its place before the caller puts it there: `bytes()` with ObjectStore::PutMany, or a
/// `writer()` by its Finish. The same rows give the same bytes, however they are cut into
/// batches. One thread at a time.
class DayFileWriter {
 public:
  static Result<DayFileWriter> Open(const DayFormat& format, const LocationDay& day,
                                    storage::ObjectStore& store);

  Result<> Append(const arrow::RecordBatch& rows);
  Result<> Finish();

  /// What it is once finished.
  const DayFile& file() const { return file_; }
  /// The whole file, unless it has a writer.
  storage::Bytes bytes() const { return wrapped_.bytes(); }
  storage::ObjectWriter* writer() { return writer_.get(); }

 private:
  explicit DayFileWriter(storage::ObjectStore& store) : store_(&store) {}

  Result<> Encode();
  Result<> Wrap();

  storage::ObjectStore* store_;
  DayFile file_;
  std::unique_ptr<format::Encoder> encoder_;
  std::unique_ptr<envelope::Wrapper> wrapper_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> waiting_;
  int64_t rows_waiting_ = 0;
  Buffer encoded_;
  Buffer wrapped_;
  Sha256 hash_;
  std::unique_ptr<storage::ObjectWriter> writer_;
};

}  // namespace spillway::recipe::open_data
