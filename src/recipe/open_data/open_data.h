#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "postgres/pool.h"
#include "recipe/open_data/change_log.h"
#include "recipe/open_data/day_format.h"
#include "recipe/recipe.h"
#include "storage/object_store.h"

namespace spillway::recipe {

struct OpenDataOptions {
  std::string read_address;   ///< As postgres::Connection takes it.
  std::string write_address;  ///< Of the role that may call the log's functions.
  std::string destination;    ///< A directory or bucket.
  std::vector<std::string> formats = {"csv.gz"};
  int64_t limit = 0;                        ///< Days a run; 0: whatever is pending.
  std::chrono::milliseconds time_limit{0};  ///< Of a run; 0: none.
  open_data::ClaimPolicy claims;
};

/// Recipe D: daily open-data files that follow changes. A table logs which location and day changed
/// when (migrations/); a run exports what is pending, a file a location, day and format, each
/// published for itself. Counts location-days, not rows.
///
/// A chunk is so many days, whichever are pending when it is done: it claims them in the log, and
/// what it cannot claim any more, or what the time limit leaves no time for, it excludes. So a run
/// never holds what it does not get to. Repeating a chunk exports nothing twice: the log says what
/// its earlier attempts have exported.
class OpenData final : public Recipe {
 public:
  static constexpr std::string_view kName = "open_data";

  using Destinations = std::function<Result<storage::ObjectStore*>(std::string_view destination)>;

  /// kInvalidArgument for formats that are none. `clock` outlives the recipe.
  static Result<std::unique_ptr<OpenData>> Make(OpenDataOptions options, Destinations destinations,
                                                Clock& clock);

  std::string_view name() const override { return kName; }
  /// Parameters: {"limit": 500, "time_limit_ms": 840000}, each optional.
  Result<CanonicalRequest> Canonicalise(const Request& request) const override;
  Result<Destination> DestinationOf(const engine::Job& job) const override;
  Result<Plan> MakePlan(const engine::Job& job, std::stop_token stop) const override;
  Result<ChunkResult> Process(const engine::Job& job, const engine::Chunk& chunk,
                              engine::Staging& staging, std::stop_token stop) const override;
  Result<Assembly> Assemble(const engine::Job& job, std::vector<Part> parts,
                            engine::Staging& staging) const override;

 private:
  OpenData(OpenDataOptions options, std::vector<open_data::DayFormat> formats,
           Destinations destinations, Clock& clock);

  const OpenDataOptions options_;
  const std::vector<open_data::DayFormat> formats_;
  const Destinations destinations_;
  Clock& clock_;
  mutable postgres::Pool read_;
  mutable postgres::Pool write_;
};

}  // namespace spillway::recipe
