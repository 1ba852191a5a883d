#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/act.h"

namespace spillway::engine {

/// What a job still has at its destination, published or staged.
struct Remains {
  std::string manifest;    ///< The key where its manifest was or would be published.
  bool published = false;  ///< Whether a manifest is there.
  int64_t objects = 0;
  int64_t bytes = 0;
};

/// kInternal where the job has no directory of its own, and nothing may be removed.
Result<Remains> CountRemains(Context& context, const Job& job);

/// E11. Removes the job's published files, whatever it has staged, and what crashed workers left
/// unfinished of them, and records that; the job's record stays. The manifest is removed first, so
/// that there is never a manifest without its files. May be interrupted anywhere, and repeated by
/// any process. False: another process is doing it, or the job was redriven.
Result<bool> Expire(Context& context, const Job& job, const Remains& remains);

/// Removes what a worker that had lost its lease may have published of a job that has expired
/// meanwhile.
Result<> RemoveIfExpired(Context& context, std::string_view job_id);

}  // namespace spillway::engine
