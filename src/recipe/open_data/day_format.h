#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "envelope/envelope.h"
#include "format/format.h"
#include "recipe/items/items.h"
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

/// Writes the rows of a day into one of its files. The same rows give the same bytes, however they
/// are cut into batches. One thread at a time.
class DayFileWriter {
 public:
  static Result<DayFileWriter> Open(const DayFormat& format, const LocationDay& day,
                                    storage::ObjectStore& store);

  Result<> Append(const arrow::RecordBatch& rows);
  Result<> Finish();

  /// What it is once finished.
  DayFile described() const;
  /// The file itself, to be put in its place.
  items::File TakeFile() && { return std::move(file_); }

 private:
  DayFileWriter(storage::ObjectStore& store, std::string key) : file_(store, std::move(key)) {}

  Result<> Encode();
  Result<> Wrap();

  items::File file_;
  int64_t rows_ = 0;
  std::unique_ptr<format::Encoder> encoder_;
  std::unique_ptr<envelope::Wrapper> wrapper_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> waiting_;
  int64_t rows_waiting_ = 0;
  Buffer encoded_;
  Buffer wrapped_;
};

}  // namespace spillway::recipe::open_data
