#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "postgres/connection.h"
#include "recipe/items/items.h"
#include "recipe/open_data/change_log.h"
#include "recipe/open_data/day_format.h"
#include "recipe/open_data/day_reader.h"
#include "recipe/open_data/reading_rows.h"
#include "recipe/recipe.h"
#include "storage/object_store.h"

namespace spillway::recipe::open_data {

/// What becomes of the files of days that have no readings any more.
struct EmptyDays {
  bool keep = false;  ///< They stay.
  /// Where more would be removed by all days that wait, whatever the log counted, none is. No job
  /// removes more.
  int64_t delete_max = 100;
};

/// Exports claimed days: reads many by one statement, writes each one's files, puts them in place,
/// and settles the day in the log. A day that cannot be exported hinders no other; it is listed.
/// One thread at a time.
class DayExporter {
 public:
  /// All outlive it. `lines` hears what becomes of each day, unless it is null.
  DayExporter(ChangeLog& log, postgres::Connection& read, storage::ObjectStore& store,
              std::span<const DayFormat> formats, EmptyDays empty_days, Log* lines = nullptr)
      : log_(log),
        read_(read),
        store_(store),
        formats_(formats),
        empty_days_(empty_days),
        lines_(lines) {}

  /// Every day is settled on success. Errors are those of the databases or the store as a whole:
  /// what is not settled is still claimed, and may be exported again.
  Result<> Export(std::span<const LocationDay> days, const std::stop_token& stop);

  /// Counts what an earlier attempt of the same chunk has settled.
  void CountBefore(const SettledDays& days);

  /// What came of all days so far.
  engine::ChunkResult& result() { return result_; }

 private:
  /// A day whose rows were all seen.
  struct ReadDay {
    ExportedDay exported;
    items::Item item;
  };

  /// A day whose rows are being read.
  struct OpenDay {
    size_t index = 0;
    int64_t rows = 0;
    std::vector<DayFileWriter> writers;
    std::vector<std::pair<int64_t, int64_t>> sensors;  ///< With how many readings each has.
    std::optional<Error> failure;
  };

  Result<> ReadAndPublish(std::span<const LocationDay> days, const std::stop_token& stop);
  Result<> TakeRows(const arrow::RecordBatch& readings, const DayReader& reader,
                    const std::stop_token& stop);
  Result<> TakeDay(const arrow::RecordBatch& rows, size_t index, const DayReader& reader);
  /// Ends the day under way, and settles days without rows up to `next`.
  Result<> CloseDay(size_t next, const DayReader& reader, const std::stop_token& stop);
  Result<> CloseRead(OpenDay day, const DaySource& source, const DayReader& reader);
  std::set<std::string> StaleKeys(const ExportedDay& day, const DaySource& source) const;
  Result<> Flush(const std::stop_token& stop);
  /// Of days that are claimed still. Returns those that are to be put; the others have failed.
  Result<std::vector<ReadDay>> CheckRemovals(std::vector<ReadDay> days,
                                             const std::stop_token& stop);
  Result<> Put(std::vector<ReadDay> days, const std::stop_token& stop);

  void CountExported(const ExportedDay& day);
  Result<> FailDay(const LocationDay& day, const Error& error, const std::stop_token& stop);
  void List(const LocationDay& day, std::string_view classification, std::string message);

  ChangeLog& log_;
  postgres::Connection& read_;
  storage::ObjectStore& store_;
  const std::span<const DayFormat> formats_;
  const EmptyDays empty_days_;
  Log* const lines_;
  ReadingRows rows_;
  engine::ChunkResult result_;
  std::map<LocationDay, bool> settled_;  ///< Of the days under way.

  std::optional<OpenDay> open_;
  std::vector<LocationDay> miscounted_;  ///< By the log; not settled yet.
  std::set<LocationDay> recounted_;
  size_t next_ = 0;  ///< Days before it were seen by the read under way.
  std::vector<ReadDay> read_days_;
  size_t read_bytes_ = 0;
};

}  // namespace spillway::recipe::open_data
