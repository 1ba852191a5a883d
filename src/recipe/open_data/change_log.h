#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
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
  std::string made_of;  ///< As migrations/0007_recount.sql says.
  std::string formats;  ///< As FormatsOf says.
  int64_t rows = 0;
  int64_t parameters = 0;
  std::vector<DayFile> files;  ///< None: the day is empty.
  bool kept = false;           ///< The day is empty, and its files stay all the same.
  int64_t removed = 0;         ///< Files that were there and are gone, since the day is empty.
};

struct FailedDay {
  LocationDay id;
  std::string classification;  ///< As ErrorRecord's.
  std::string error;
};

struct SettledDays {
  std::vector<ExportedDay> exported;  ///< With `id`, `files` and `kept` alone.
  std::vector<FailedDay> failed;
};

/// Days that an exporter held when its session was lost, before it had recorded them. It may have
/// put their files or not. Where somebody else has claimed and exported such a day since, the
/// exporter's older files may have replaced the newer ones, so the day has to be exported again.
struct UnsureDays {
  std::string claim;
  std::vector<LocationDay> days;
};

/// Whether files of days that are empty may go.
enum class Removal { kLet, kTooMany, kRecounting };

/// Who claims days: an attempt at a chunk of a job.
struct Claimant {
  std::string work;     ///< "<job>/<chunk>", which all attempts at the chunk have in common.
  std::string attempt;  ///< Made by chance, so that no two exporters' claims are ever the same.
};

/// The export log through the functions that Spillway ships (migrations/): all that
/// the writing role may do. Every call is one short transaction. One thread at a time. Errors are
/// the connection's; a row that an ingest has locked for a minute is one, retryable.
///
/// While it has claims, the connection's session shows that their holder lives (ADR 20); so the
/// connection is nobody else's until Release, and whoever lost it goes on with a new ChangeLog.
class ChangeLog {
 public:
  /// `schema` is the log's, quoted, as LogSchema says.
  ChangeLog(postgres::Connection& connection, ClaimPolicy policy, Claimant claimant,
            std::string schema = "public")
      : connection_(connection),
        policy_(policy),
        claimant_(std::move(claimant)),
        schema_(std::move(schema)) {}
  virtual ~ChangeLog() = default;
  ChangeLog(const ChangeLog&) = delete;
  ChangeLog& operator=(const ChangeLog&) = delete;

  const std::string& schema() const { return schema_; }

  /// Notes whose sessions have ended since the last look; Claim does so, too.
  Result<> NoteLost(const std::stop_token& stop);

  /// How many days could be claimed, counted up to `limit`.
  Result<int64_t> CountPending(int64_t limit, const std::stop_token& stop);

  /// The database's time, as PostgreSQL reads it.
  Result<std::string> Now(const std::stop_token& stop);

  /// D2. Days that are over, oldest first; this claimant's own again, and those of attempts at the
  /// same chunk that are over. None that was exported, or failed, since `untouched_since`.
  virtual Result<std::vector<LocationDay>> Claim(int64_t limit, const std::string& untouched_since,
                                                 const std::stop_token& stop);

  /// Which of the days are still this claimant's; claims that are getting old are young
  /// again: three quarters of abandoned_after are left at least.
  virtual Result<std::set<LocationDay>> Hold(std::span<const LocationDay> days,
                                             const std::stop_token& stop);

  /// D3. Returns those that were still this claimant's; the others are pending again. A day that
  /// was modified since it was read stays pending, too, and so does one whose files somebody who
  /// lost his claim may still replace.
  virtual Result<std::set<LocationDay>> RecordExported(std::span<const ExportedDay> days,
                                                       const std::stop_token& stop);

  virtual Result<> RecordFailed(std::span<const FailedDay> days, const std::stop_token& stop);

  /// Has the readings of days counted again. Returns how many days were counted wrongly.
  Result<int64_t> Recount(std::span<const LocationDay> days, const std::stop_token& stop);

  /// Those held and not recorded yet.
  UnsureDays Unsure() const { return {shown_, {held_.begin(), held_.end()}}; }

  /// Has those of the days exported once more that somebody else has claimed since they were held.
  /// To be called on a new session, once nothing more of them is put. Waits for no row's lock:
  /// returns the days that are locked, of which it has said nothing yet.
  virtual Result<std::vector<LocationDay>> MarkUnsure(const UnsureDays& unsure,
                                                      const std::stop_token& stop);

  /// Whether this claimant's job may remove the files (`removed`) of these days without readings;
  /// if so, they count as removed, once for all attempts. `most` is what all days that wait, and
  /// all of the job, may remove.
  Result<Removal> LetRemove(std::span<const ExportedDay> days, int64_t most,
                            const std::stop_token& stop);

  /// Gives up all claims left; waits for nobody's lock. Nothing is put afterwards.
  virtual Result<> Release();

  /// What all attempts at the chunk have exported, or failed to, since then.
  Result<SettledDays> SettledSince(const std::string& since, const std::stop_token& stop);

 private:
  Result<> ShowLife(const std::stop_token& stop);
  /// Runs a statement with the schema in the place of @schema@, and READ COMMITTED.
  Result<postgres::Rows> Execute(std::string_view sql,
                                 std::initializer_list<postgres::Parameter> parameters,
                                 const std::stop_token& stop = {});

  postgres::Connection& connection_;
  const ClaimPolicy policy_;
  const Claimant claimant_;
  const std::string schema_;
  std::string claim_;  ///< As the log names it, once something is claimed.
  std::string shown_;  ///< The same, also when all was given back.
  std::set<LocationDay> held_;
  std::optional<bool> commits_read_;  ///< The session's transactions are READ COMMITTED anyway.
};

/// The files that a log's metadata lists.
Result<std::vector<DayFile>> FilesFromJson(std::string_view metadata);

}  // namespace spillway::recipe::open_data
