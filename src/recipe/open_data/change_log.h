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
  int64_t rows = 0;
  int64_t parameters = 0;
  std::vector<DayFile> files;  ///< None: the day is empty.
};

struct FailedDay {
  LocationDay id;
  std::string error;
};

/// The export log through the functions that Spillway ships (migrations/0004_export.sql): all that
/// the writing role may do. Every call is one short transaction. One thread at a time. Errors are
/// the connection's.
class ChangeLog {
 public:
  /// `claimant` tells this exporter's claims from others'.
  ChangeLog(postgres::Connection& connection, ClaimPolicy policy, std::string claimant)
      : connection_(connection), policy_(policy), claimant_(std::move(claimant)) {}

  /// How many days could be claimed, counted up to `limit`.
  Result<int64_t> CountPending(int64_t limit, const std::stop_token& stop);

  /// D2. Days that are over, oldest first; this claimant's own again.
  Result<std::vector<LocationDay>> Claim(int64_t limit, const std::stop_token& stop);

  /// Which of the days are still this claimant's; their claims are young again.
  Result<std::set<LocationDay>> Hold(std::span<const LocationDay> days);

  /// D3. Returns those that were still this claimant's; the others are pending again. A day that
  /// was modified since it was read stays pending, too.
  Result<std::set<LocationDay>> RecordExported(std::span<const ExportedDay> days);

  Result<> RecordFailed(std::span<const FailedDay> days);

  /// Gives up all claims left.
  Result<> Release();

  /// What this claimant has exported since then.
  Result<std::vector<ExportedDay>> ExportedSince(Timestamp since, const std::stop_token& stop);

 private:
  postgres::Connection& connection_;
  const ClaimPolicy policy_;
  const std::string claimant_;
};

/// The files that a log's metadata lists.
Result<std::vector<DayFile>> FilesFromJson(std::string_view metadata);

}  // namespace spillway::recipe::open_data
