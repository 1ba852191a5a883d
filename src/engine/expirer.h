#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/act.h"

namespace spillway::engine {

/// A job whose files have outlived their retention, and what it still has.
struct Expirable {
  Job job;
  int64_t objects = 0;
  int64_t bytes = 0;
  std::optional<Error> error;  ///< Why that cannot be counted.
};

/// Goes over the jobs of one export and final state that are due to expire, in the order of their
/// ends, page by page. What cannot expire is passed like everything else, and keeps no other.
class ExpiryWalk {
 public:
  ExpiryWalk(std::string export_name, JobState state, std::chrono::microseconds kept);

  /// The next jobs, at most `limit`. After the last it begins anew.
  Result<std::vector<Expirable>> Next(Context& context, size_t limit);

  /// Whether the last page was the end.
  bool ended() const { return ended_; }

 private:
  store::ExpiryFilter filter_;
  std::chrono::microseconds kept_;
  bool ended_ = false;
};

/// One for each export and state of which files are not kept for ever.
std::vector<ExpiryWalk> ExpiryWalks(const Options& options);

/// E11. Removes the job's published files and whatever it has staged, and records that; the job's
/// record stays. The manifest goes first: where one stands, its files do. Safe to cut short
/// anywhere, and repeated, by anybody. False: somebody else has it in hands, or it was redriven. An
/// error of counting is returned.
Result<bool> Expire(Context& context, const Expirable& due);

/// Expires the next page of each walk; one job's error is logged and keeps no other. Returns the
/// number of jobs that expired.
Result<int64_t> ExpireDue(Context& context, std::span<ExpiryWalk> walks);

/// Removes what a worker that had lost its lease may have published of a job that has expired
/// meanwhile.
Result<> RemoveIfExpired(Context& context, std::string_view job_id);

}  // namespace spillway::engine
