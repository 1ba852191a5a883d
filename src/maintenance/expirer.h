#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/act.h"
#include "engine/expiry.h"

namespace spillway::engine {

/// A job whose files have outlived their retention, and what it still has.
struct Expirable {
  Job job;
  Remains remains;
  std::optional<Error> error;  ///< Why it cannot expire.
  bool is_missing = false;     ///< It cannot because of Missing::kKept.
};

/// What to do with a succeeded job whose expiry has not begun and whose manifest is not where it
/// was published: perhaps the disk is not mounted, or somebody has removed the files.
enum class Missing {
  kKept,  ///< It cannot expire: what is recorded as expired, nobody looks at again.
  kExpires,
};

/// Goes over the jobs of one export and final state that are due to expire, in the order of their
/// ends, page by page. A job that cannot expire does not stop the others.
class ExpiryWalk {
 public:
  ExpiryWalk(std::string export_name, JobState state, std::chrono::microseconds kept,
             Missing missing = Missing::kKept);

  /// The next jobs, at most `limit`; fewer after `stop`. After the last it begins again.
  Result<std::vector<Expirable>> Next(Context& context, size_t limit, std::stop_token stop = {});

  /// Whether the last page was the end.
  bool ended() const { return ended_; }

 private:
  store::ExpiryFilter filter_;
  std::chrono::microseconds kept_;
  Missing missing_;
  bool ended_ = false;
};

/// One for each export and state of which files are not kept for ever.
std::vector<ExpiryWalk> ExpiryWalks(const Options& options, Missing missing = Missing::kKept);

/// Expires one; returns the error of one that cannot expire. As Expire of engine/expiry.h.
Result<bool> Expire(Context& context, const Expirable& due);

/// Expires the next page of each walk. The error of one job is logged and does not stop the others.
/// After `stop` no further job is begun. Adds the jobs that expired to `expired`, also where there is
/// an error, which is the first of a page that could not be read.
Result<> ExpireDue(Context& context, std::span<ExpiryWalk> walks, std::vector<std::string>& expired,
                   std::stop_token stop = {});

/// Looks once more at jobs that expired, a lease later: a worker that had lost its lease may have
/// published files of them meanwhile, and died before it removed them. Used by one thread.
class SecondLook {
 public:
  explicit SecondLook(Context& context) : context_(context) {}

  /// Jobs that have expired now.
  void Add(std::span<const std::string> job_ids);

  /// Looks at those whose time has come. Where a place cannot be looked at, the job stays for the
  /// next time; the first such error is returned.
  Result<> Run(std::stop_token stop);

 private:
  struct Expired {
    std::string job_id;
    Timestamp due_at;
  };

  Context& context_;
  std::vector<Expired> expired_;
};

}  // namespace spillway::engine
