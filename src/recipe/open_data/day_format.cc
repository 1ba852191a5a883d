#include "recipe/open_data/day_format.h"

#include <algorithm>
#include <set>

#include <arrow/api.h>
#include <fmt/format.h>

#include "recipe/open_data/reading_rows.h"

namespace spillway::recipe::open_data {
namespace {

constexpr int kGzipLevel = 1;
/// What an encoder gets at a time: batches come as the days before filled them, and pages and
/// dictionaries of Parquet end where batches do.
constexpr int64_t kRowsAtOnce = 65'536;

std::string WithoutDashes(std::string day) {
  std::erase(day, '-');
  return day;
}

}  // namespace

Result<DayFormat> DayFormat::Make(std::string_view name) {
  DayFormat made;
  made.name_ = name;
  made.envelope_ = envelope::NewPlainEnvelope();
  if (name == "csv" || name == "csv.gz") {
    made.format_ = TRY(format::NewCsvFormat({}));
    if (name == "csv.gz") made.envelope_ = TRY(envelope::NewGzipEnvelope(kGzipLevel));
  } else if (name == "parquet") {
    made.format_ = TRY(format::NewParquetFormat({}));
  } else {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" is no format; use csv, csv.gz or parquet", name));
  }
  return made;
}

std::string DayFormat::KeyOf(const LocationDay& day) const {
  return fmt::format("records/{0}/locationid={1}/year={2}/month={3}/location-{1}-{4}.{0}", name_,
                     day.location, day.day.substr(0, 4), day.day.substr(5, 2),
                     WithoutDashes(day.day));
}

std::string FormatsOf(std::span<const DayFormat> formats) {
  std::set<std::string_view> names;
  for (const DayFormat& format : formats) names.insert(format.name());
  return fmt::format("{}", fmt::join(names, ","));
}

Result<DayFileWriter> DayFileWriter::Open(const DayFormat& format, const LocationDay& day,
                                          storage::ObjectStore& store) {
  DayFileWriter opened(store, format.KeyOf(day));
  opened.encoder_ = TRY(format.format().NewEncoder(*ReadingSchema(), {}));
  opened.wrapper_ = TRY(format.envelope().NewWrapper());
  return opened;
}

DayFile DayFileWriter::described() const {
  return {.key = file_.key(), .rows = rows_, .bytes = file_.bytes(), .sha256 = file_.sha256()};
}

Result<> DayFileWriter::Append(const arrow::RecordBatch& rows) {
  rows_ += rows.num_rows();
  for (int64_t at = 0; at < rows.num_rows();) {
    const int64_t taken = std::min(rows.num_rows() - at, kRowsAtOnce - rows_waiting_);
    waiting_.push_back(rows.Slice(at, taken));
    rows_waiting_ += taken;
    at += taken;
    if (rows_waiting_ == kRowsAtOnce) TRY(Encode());
  }
  return {};
}

Result<> DayFileWriter::Encode() {
  if (waiting_.empty()) return {};
  std::shared_ptr<arrow::RecordBatch> rows = waiting_.front();
  if (waiting_.size() > 1) {
    auto joined = arrow::ConcatenateRecordBatches(waiting_);
    if (!joined.ok()) {
      return Fail(ErrorCode::kOutOfSpace,
                  "no memory for the rows of a day: " + joined.status().message());
    }
    rows = *std::move(joined);
  }
  waiting_.clear();
  rows_waiting_ = 0;
  TRY(encoder_->Append(*rows, encoded_));
  return Wrap();
}

Result<> DayFileWriter::Wrap() {
  TRY(wrapper_->Append(encoded_.bytes(), wrapped_));
  encoded_.Clear();
  TRY(file_.Append(wrapped_.bytes()));
  wrapped_.Clear();
  return {};
}

Result<> DayFileWriter::Finish() {
  TRY(Encode());
  TRY(encoder_->Finish(encoded_));
  TRY(Wrap());
  TRY(wrapper_->Finish(wrapped_));
  TRY(file_.Append(wrapped_.bytes()));
  TRY(file_.Finish());
  encoder_.reset();
  wrapper_.reset();
  encoded_ = {};
  wrapped_ = {};
  return {};
}

}  // namespace spillway::recipe::open_data
