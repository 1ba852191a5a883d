#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "postgres/connection.h"
#include "recipe/open_data/location_day.h"

namespace spillway::recipe::open_data {

/// When days are claimed that somebody has claimed, or that failed.
struct ClaimPolicy {
  std::chrono::milliseconds abandoned_after{3'600'000};
  int64_t attempts = 3;
  std::chrono::milliseconds retry_pause{300'000};
};

/// A day whose files are in place.
struct ExportedDay {
  LocationDay id;
  std::string
      seen;  ///< The log's modified_on in the snapshot that was read, as PostgreSQL wrote it.
  std::string time_zone;  ///< Of the location, as the view says.
  std::string day_bound;
  int64_t rows = 0;
  int64_t parameters = 0;
  std::vector<DayFile> files;  ///< None: the day is empty.
};

struct FailedDay {
  LocationDay id;
  std::string classification;  ///< As ErrorRecord's.
  std::string error;
};

struct SettledDays {
  std::vector<ExportedDay> exported;  ///< With `id` and `files` alone.
  std::vector<FailedDay> failed;
};

/// The export log through the functions that Spillway ships (migrations/0004_export.sql): all that
/// the writing role may do. Every call is one short transaction. One thread at a time. Errors are
/// the connection's; a row that an ingest has locked for a minute is one, retryable.
class ChangeLog {
 public:
  /// `claimant` tells this exporter's claims from others'.
  ChangeLog(postgres::Connection& connection, ClaimPolicy policy, std::string claimant)
      : connection_(connection), policy_(policy), claimant_(std::move(claimant)) {}

  /// How many days could be claimed, counted up to `limit`.
  Result<int64_t> CountPending(int64_t limit, const std::stop_token& stop);

  /// The database's time, as PostgreSQL reads it.
  Result<std::string> Now(const std::stop_token& stop);

  /// D2. Days that are over, oldest first; this claimant's own again. None that was exported, or
  /// failed, since `untouched_since`.
  Result<std::vector<LocationDay>> Claim(int64_t limit, const std::string& untouched_since,
                                         const std::stop_token& stop);

  /// Which of the days are still this claimant's; claims that are getting old are young
  /// again: three quarters of abandoned_after are left at least.
  Result<std::set<LocationDay>> Hold(std::span<const LocationDay> days,
                                     const std::stop_token& stop);

  /// D3. Returns those that were still this claimant's; the others are pending again. A day that
  /// was modified since it was read stays pending, too.
  Result<std::set<LocationDay>> RecordExported(std::span<const ExportedDay> days,
                                               const std::stop_token& stop);

  Result<> RecordFailed(std::span<const FailedDay> days, const std::stop_token& stop);

  /// Gives up all claims left; waits for nobody's lock.
  Result<> Release();

  /// What this claimant has exported, or failed to, since then.
  Result<SettledDays> SettledSince(const std::string& since, const std::stop_token& stop);

 private:
  postgres::Connection& connection_;
  const ClaimPolicy policy_;
  const std::string claimant_;
};

/// The files that a log's metadata lists.
Result<std::vector<DayFile>> FilesFromJson(std::string_view metadata);

}  // namespace spillway::recipe::open_data
