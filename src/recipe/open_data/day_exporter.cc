#include "recipe/open_data/day_exporter.h"

#include <algorithm>
#include <iterator>
#include <set>

#include <arrow/api.h>
#include <fmt/format.h>

#include "base/digest.h"
#include "recipe/recipients.h"

namespace spillway::recipe::open_data {
namespace {

/// Whether the fault is in the data, so that some days may be readable without the others.
bool IsOfData(const Error& error) {
  return !error.retryable &&
         (error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kCorrupt ||
          error.code == ErrorCode::kUnsupported);
}

Error WhyUnreadable(const DaySource& day) {
  std::string why = "its location is not in open_data_locations; add it there";
  if (!day.fault.empty()) {
    why = day.fault;
  } else if (day.has_location) {
    why = fmt::format(
        "\"{}\" is no name of a time zone, like Europe/Vienna; correct it in open_data_locations, "
        "then recount",
        day.time_zone);
  }
  return {.code = ErrorCode::kInvalidArgument, .message = std::move(why)};
}

Error BeforeYearOne() {
  return {.code = ErrorCode::kInvalidArgument,
          .message =
              "is before the year 1, and no file can be named so; correct or delete its "
              "readings, then its row in the log"};
}

Error WhyNotRemoved(Removal let, int64_t delete_max) {
  return {
      .code = ErrorCode::kConflict,
      .message =
          let == Removal::kRecounting
              ? "has no readings any more, but no files are removed before the recount that is "
                "under way has come to its end; if it was broken off, run the operation "
                "`open-data recount` again"
              : fmt::format("has no readings any more, and with the files of all such days "
                            "more than open_data.delete_max ({}) would be removed, so it stays; "
                            "raise it where that is meant, or set open_data.on_empty: keep",
                            delete_max)};
}

}  // namespace

Result<> DayExporter::Export(std::span<const LocationDay> days, const std::stop_token& stop) {
  std::vector<LocationDay> named;
  for (const LocationDay& day : days) {
    settled_[day] = false;
    if (day.day.ends_with("BC")) {
      TRY(FailDay(day, BeforeYearOne(), stop));
    } else {
      named.push_back(day);
    }
  }
  if (named.empty()) return {};
  Result<> done = ReadAndPublish(named, stop);
  open_.reset();
  read_days_.clear();
  read_bytes_ = 0;
  miscounted_.clear();
  if (done.has_value() || !IsOfData(done.error())) return done;
  std::vector<LocationDay> left;
  std::ranges::copy_if(days, std::back_inserter(left),
                       [this](const LocationDay& day) { return !settled_[day]; });
  if (left.size() == 1) return FailDay(left.front(), done.error(), stop);
  const std::span<const LocationDay> rest(left);
  TRY(Export(rest.first(rest.size() / 2), stop));
  return Export(rest.subspan(rest.size() / 2), stop);
}

Result<> DayExporter::ReadAndPublish(std::span<const LocationDay> days,
                                     const std::stop_token& stop) {
  next_ = 0;
  DayReader reader(read_, log_.schema());
  TRY(reader.Read(
      days, [&](const arrow::RecordBatch& readings) { return TakeRows(readings, reader, stop); },
      stop));
  TRY(CloseDay(reader.days().size(), reader, stop));
  TRY(Flush(stop));
  if (miscounted_.empty()) return {};
  // Somebody else has written the log, or the views were changed.
  const std::vector<LocationDay> again = std::exchange(miscounted_, {});
  recounted_.insert(again.begin(), again.end());
  if (Result<int64_t> counted = log_.Recount(again, stop); !counted.has_value()) {
    for (const LocationDay& day : again) recounted_.erase(day);  // Export halves them.
    return std::unexpected(std::move(counted).error());
  }
  return ReadAndPublish(again, stop);
}

Result<> DayExporter::TakeRows(const arrow::RecordBatch& readings, const DayReader& reader,
                               const std::stop_token& stop) {
  const std::shared_ptr<arrow::RecordBatch> rows =
      TRY(rows_.Dress(readings, reader.days(), reader.sensors()));
  const auto& day = static_cast<const arrow::Int32Array&>(*readings.column(0));
  const auto& sensors = static_cast<const arrow::Int64Array&>(*readings.column(1));
  for (int64_t begin = 0; begin < day.length();) {
    int64_t end = begin + 1;
    while (end < day.length() && day.Value(end) == day.Value(begin)) ++end;
    const auto index = static_cast<size_t>(day.Value(begin));
    if (!open_.has_value() || open_->index != index) TRY(CloseDay(index, reader, stop));
    TRY(TakeDay(*rows->Slice(begin, end - begin), index, reader));
    for (int64_t row = begin; row < end; ++row) {
      if (open_->sensors.empty() || open_->sensors.back().first != sensors.Value(row)) {
        open_->sensors.emplace_back(sensors.Value(row), 0);
      }
      ++open_->sensors.back().second;
    }
    begin = end;
  }
  return {};
}

Result<> DayExporter::TakeDay(const arrow::RecordBatch& rows, size_t index,
                              const DayReader& reader) {
  if (!open_.has_value()) {
    open_ = OpenDay{.index = index};
    for (const DayFormat& format : formats_) {
      open_->writers.push_back(TRY(DayFileWriter::Open(format, reader.days()[index].id, store_)));
    }
  }
  open_->rows += rows.num_rows();
  for (DayFileWriter& writer : open_->writers) {
    if (open_->failure.has_value()) break;
    Result<> appended = writer.Append(rows);
    if (appended.has_value()) continue;
    if (!IsOfData(appended.error())) return appended;
    open_->failure = std::move(appended).error();
  }
  return {};
}

Result<> DayExporter::CloseDay(size_t next, const DayReader& reader, const std::stop_token& stop) {
  for (; next_ < next; ++next_) {
    OpenDay day{.index = next_};
    if (open_.has_value() && open_->index == next_) {
      day = *std::move(open_);
      open_.reset();
    }
    const DaySource& source = reader.days()[next_];
    if (!source.logged) {
      List(source.id, kExcluded, "is not yet in the log that is read; it stays pending");
      continue;
    }
    if (!source.readable() && source.records > 0) {
      TRY(FailDay(source.id, WhyUnreadable(source), stop));
    } else if (day.rows != source.records && !recounted_.contains(source.id)) {
      miscounted_.push_back(source.id);
    } else if (day.rows != source.records) {
      TRY(FailDay(source.id,
                  {.code = ErrorCode::kCorrupt,
                   .message = fmt::format(
                       "the log counts {} readings, but there are {}, also after they were counted "
                       "again; does open_data_measurements show all readings to both roles, and "
                       "does nobody but Spillway write open_data_export_logs?",
                       source.records, day.rows)},
                  stop));
    } else if (day.failure.has_value()) {
      TRY(FailDay(source.id, *day.failure, stop));
    } else {
      if (lines_ != nullptr) {
        lines_->Debug("day read", {{"day", source.id.name()}, {"readings", day.rows}});
      }
      TRY(CloseRead(std::move(day), source, reader));
    }
    if (read_days_.size() >= items::kItemsAtOnce || read_bytes_ >= items::kBytesAtOnce) {
      TRY(Flush(stop));
    }
  }
  return {};
}

/// Where files of the day are, or may be, that it does not have any more.
std::set<std::string> DayExporter::StaleKeys(const ExportedDay& day,
                                             const DaySource& source) const {
  std::set<std::string> keys;
  for (const DayFile& file : source.files_before) keys.insert(file.key);
  if (day.rows == 0) {
    for (const DayFormat& format : formats_) keys.insert(format.KeyOf(source.id));
  }
  for (const DayFile& file : day.files) keys.erase(file.key);
  return keys;
}

Result<> DayExporter::CloseRead(OpenDay day, const DaySource& source, const DayReader& reader) {
  ReadDay read{.exported = {.id = source.id,
                            .seen = source.modified_on,
                            .time_zone = source.time_zone,
                            .day_bound = source.day_bound,
                            .formats = FormatsOf(formats_),
                            .rows = day.rows}};
  std::set<std::string_view> parameters;
  std::string made_of = source.line;
  for (const auto& [id, readings] : day.sensors) {
    const Sensor& sensor = reader.sensors().at(id);
    parameters.insert(sensor.parameter);
    made_of += fmt::format("\n{} {}", sensor.line, readings);
  }
  read.exported.parameters = static_cast<int64_t>(parameters.size());
  read.exported.made_of = ToHex(Sha256Of(made_of));
  for (DayFileWriter& writer : day.writers) {
    TRY(writer.Finish());
    read.exported.files.push_back(writer.described());
    read.item.files.push_back(std::move(writer).TakeFile());
    read_bytes_ += read.item.files.back().bytes_waiting();
  }
  if (day.rows == 0 && empty_days_.keep) {
    read.exported.kept = !source.files_before.empty();
    read.exported.files = source.files_before;
  } else {
    read.item.stale_keys = StaleKeys(read.exported, source);
  }
  read_days_.push_back(std::move(read));
  return {};
}

/// Only what is still claimed is put in its place: a claim that was lost is somebody else's work.
Result<> DayExporter::Flush(const std::stop_token& stop) {
  if (stop.stop_requested()) {
    return Fail(ErrorCode::kCancelled, "stopped before publishing days");
  }
  std::vector<ReadDay> days = std::exchange(read_days_, {});
  read_bytes_ = 0;
  if (days.empty()) return {};
  std::vector<LocationDay> ids;
  for (const ReadDay& day : days) ids.push_back(day.exported.id);
  const std::set<LocationDay> held = TRY(log_.Hold(ids, stop));
  std::vector<ReadDay> ours;
  for (ReadDay& day : days) {
    if (held.contains(day.exported.id)) {
      ours.push_back(std::move(day));
    } else {
      List(day.exported.id, kExcluded, "was taken over by another export meanwhile");
    }
  }
  ours = TRY(CheckRemovals(std::move(ours), stop));
  return Put(std::move(ours), stop);
}

/// Files go only where that is what somebody wants: a table that was emptied by mistake, or a view
/// that lost its locations, empties days by the thousand.
Result<std::vector<DayExporter::ReadDay>> DayExporter::CheckRemovals(std::vector<ReadDay> days,
                                                                     const std::stop_token& stop) {
  std::vector<ExportedDay> removals;
  for (ReadDay& day : days) {
    if (day.exported.rows > 0) continue;
    for (const std::string& key : day.item.stale_keys) {
      if (TRY(store_.Head(key)).has_value()) ++day.exported.removed;
    }
    if (day.exported.removed == 0) continue;
    removals.push_back(day.exported);
  }
  if (removals.empty()) return days;
  const Removal let = TRY(log_.LetRemove(removals, empty_days_.delete_max, stop));
  if (let == Removal::kLet) return days;
  const Error why = WhyNotRemoved(let, empty_days_.delete_max);
  std::vector<ReadDay> others;
  for (ReadDay& day : days) {
    if (day.exported.removed == 0) {
      others.push_back(std::move(day));
    } else {
      TRY(FailDay(day.exported.id, why, stop));
    }
  }
  return others;
}

Result<> DayExporter::Put(std::vector<ReadDay> days, const std::stop_token& stop) {
  std::vector<items::Item> in_place;
  for (ReadDay& day : days) in_place.push_back(std::move(day.item));
  const std::vector<Result<>> put = TRY(items::PutInPlace(store_, in_place));
  std::vector<ExportedDay> exported;
  for (size_t i = 0; i < days.size(); ++i) {
    ReadDay& day = days[i];
    if (!put[i].has_value()) {
      TRY(FailDay(day.exported.id, put[i].error(), stop));
    } else {
      if (lines_ != nullptr) {
        const std::vector<DayFile>& files = day.exported.files;
        lines_->Debug("day put", {{"day", day.exported.id.name()},
                                  {"files", files.size()},
                                  {"first", files.empty() ? "" : files.front().key}});
      }
      exported.push_back(std::move(day.exported));
    }
  }
  const std::set<LocationDay> applied = TRY(log_.RecordExported(exported, stop));
  for (const ExportedDay& day : exported) {
    if (applied.contains(day.id)) {
      CountExported(day);
    } else {
      List(day.id, kExcluded, "was taken over by another export meanwhile; it is exported again");
    }
  }
  return {};
}

void DayExporter::CountBefore(const SettledDays& days) {
  for (const ExportedDay& day : days.exported) CountExported(day);
  for (const FailedDay& day : days.failed) List(day.id, day.classification, day.error);
}

void DayExporter::CountExported(const ExportedDay& day) {
  if (day.kept || day.files.empty()) {
    List(day.id, kExcluded,
         day.kept ? "has no readings any more; its files stay, as on_empty: keep says"
                  : "has no readings; there is no file of it");
    return;
  }
  if (lines_ != nullptr) lines_->Debug("day recorded", {{"day", day.id.name()}});
  settled_[day.id] = true;
  ++result_.counts.written;
  for (const DayFile& file : day.files) {
    result_.counts.bytes += static_cast<int64_t>(file.bytes);
    result_.published.push_back({.item = day.id.item(),
                                 .key = file.key,
                                 .rows = file.rows,
                                 .bytes = file.bytes,
                                 .sha256 = file.sha256});
  }
}

Result<> DayExporter::FailDay(const LocationDay& day, const Error& error,
                              const std::stop_token& stop) {
  const FailedDay failed{
      .id = day, .classification = std::string(Name(error.code)), .error = error.message};
  TRY(log_.RecordFailed({&failed, 1}, stop));
  List(day, failed.classification, failed.error);
  return {};
}

void DayExporter::List(const LocationDay& day, std::string_view classification,
                       std::string message) {
  settled_[day] = true;
  if (lines_ != nullptr && classification == kExcluded) {
    lines_->Debug("day left out", {{"day", day.name()}, {"why", message}});
  } else if (lines_ != nullptr) {
    lines_->Warning("day failed",
                    {{"day", day.name()}, {"code", classification}, {"error", message}});
  }
  ++(classification == kExcluded ? result_.counts.excluded : result_.counts.failed);
  result_.errors.push_back({.key = day.name(),
                            .classification = std::string(classification),
                            .message = std::move(message)});
}

}  // namespace spillway::recipe::open_data
