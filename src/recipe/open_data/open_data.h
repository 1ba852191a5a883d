#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "postgres/pool.h"
#include "recipe/open_data/change_log.h"
#include "recipe/open_data/day_exporter.h"
#include "recipe/open_data/day_format.h"
#include "recipe/recipe.h"
#include "storage/object_store.h"

namespace spillway::recipe {

struct OpenDataOptions {
  std::string read_address;   ///< As postgres::Connection takes it.
  std::string write_address;  ///< Of the role that may call the log's functions.
  std::string destination;    ///< A directory or bucket.
  std::string manifests;      ///< As `destination`, of the runs' manifests; empty: below it.
  std::vector<std::string> formats = {"csv.gz"};
  int64_t limit = 0;                        ///< Days a run; 0: whatever is pending.
  std::chrono::milliseconds time_limit{0};  ///< Of a run; 0: none.
  /// How long days are over before they are exported; absent: as the log has it.
  std::optional<std::chrono::milliseconds> settle;
  bool time_ending = true;  ///< Whether a reading at midnight ends a day.
  open_data::ClaimPolicy claims;
  open_data::EmptyDays empty_days;
  /// How long a run waits for a database that went away.
  std::chrono::milliseconds retry_for{60'000};
  Log* log = nullptr;  ///< Hears of every day, at debug; of those that fail, as warnings.
  std::string schema;  ///< The log's, as LogSchema's `configured`.
};

/// Recipe D: daily open-data files that follow changes. A table logs which location and day changed
/// when (migrations/); a run exports what is pending, a file a location, day and format, each
/// published for itself. Counts location-days, not rows.
///
/// A chunk is a number of days, whichever are pending when it is done: it claims them in the log,
/// and what it cannot claim any more, or what the time limit leaves no time for, it excludes. So a
/// run never holds what it does not get to. Repeating a chunk exports nothing twice: the log says what
/// its earlier attempts have exported. A database that goes away is waited for.
class OpenData final : public Recipe {
 public:
  static constexpr std::string_view kName = "open_data";

  using Destinations =
      std::function<Result<std::shared_ptr<storage::ObjectStore>>(std::string_view destination)>;

  /// kInvalidArgument for formats that are none. `clock` outlives the recipe. `chance` names
  /// claims.
  static Result<std::unique_ptr<OpenData>> Make(OpenDataOptions options, Destinations destinations,
                                                Clock& clock, Random chance);

  std::string_view name() const override { return kName; }
  /// Parameters: {"limit": 500, "time_limit_ms": 840000}, each optional.
  Result<CanonicalRequest> Canonicalise(const Request& request) const override;
  Result<Destination> DestinationOf(const engine::Job& job) const override;
  std::string_view counts() const override { return "location-days"; }
  Result<Survey> Look(const std::string& export_name, const CanonicalRequest& request,
                      std::stop_token stop) const override;
  Result<Planned> MakePlan(const engine::Job& job, Planning& plan,
                           std::stop_token stop) const override;
  Result<ChunkOutcome> Process(const engine::Job& job, const engine::Chunk& chunk,
                               engine::Staging& staging, Progress& progress,
                               std::stop_token stop) const override;
  Result<Assembly> Assemble(const engine::Job& job, std::vector<engine::Part> parts,
                            engine::Staging& staging, std::stop_token stop) const override;

 private:
  using AllUnsure = std::vector<open_data::UnsureDays>;

  /// What an attempt at a chunk keeps while its connections come and go.
  struct Attempt {
    open_data::Claimant claimant;
    bool again = false;   ///< An earlier one may have exported days of the chunk.
    int64_t settled = 0;  ///< Days, so far.
    AllUnsure unsure;     ///< Its own, which nobody else may mark while it may claim them again.
  };

  struct Databases {
    postgres::Connection& read;
    postgres::Connection& write;
  };

  OpenData(OpenDataOptions options, std::vector<open_data::DayFormat> formats,
           Destinations destinations, Clock& clock, Random chance);

  Result<Planned> PlanOn(Databases databases, const engine::Job& job,
                         const std::stop_token& stop) const;
  Result<engine::ChunkResult> ProcessOn(Databases databases, const engine::Job& job,
                                        const engine::Chunk& chunk, Attempt& attempt,
                                        const std::stop_token& stop) const;
  /// Calls `act` with connections; where a database went away, waits for it and calls `act` again.
  /// Gives up once there was no database for retry_for in all, and where `act` has lost its session
  /// three times in a row. Both begin again with each day that is settled; the time in which `act`
  /// works does not count.
  template <class Act>
  auto Patiently(Attempt& attempt, const std::stop_token& stop, const Act& act) const
      -> std::invoke_result_t<Act, Databases>;
  /// As ChangeLog::MarkUnsure. Returns those that could not be marked now; they stay guarded.
  AllUnsure MarkUnsure(postgres::Connection& write, AllUnsure all,
                       const std::stop_token& stop) const;
  /// What attempts that are over have left unmarked, for whoever has a connection next.
  AllUnsure TakeUnsure() const;
  void LeaveUnsure(AllUnsure unsure) const;
  std::string NewChance() const;

  const OpenDataOptions options_;
  const std::vector<open_data::DayFormat> formats_;
  const Destinations destinations_;
  Clock& clock_;
  mutable std::mutex chance_mutex_;
  mutable Random chance_;
  mutable std::mutex unsure_mutex_;
  mutable AllUnsure unsure_;
  mutable postgres::Pool read_;
  mutable postgres::Pool write_;
};

}  // namespace spillway::recipe
