#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/act.h"

namespace spillway::engine {

/// A job whose files have outlived their retention, and what it still has.
struct Expirable {
  Job job;
  int64_t objects = 0;
  int64_t bytes = 0;
};

/// Jobs that are due to expire now, at most `limit` of each export and state, with what they would
/// lose. One whose files cannot be counted is logged and left out.
Result<std::vector<Expirable>> FindExpirable(Context& context, size_t limit);

/// E11. Removes the job's published files and whatever it has staged, and records that; the job's
/// record stays. The manifest goes first: where one stands, its files do. Safe to cut short
/// anywhere, and repeated, by anybody. False: somebody else has it in hands, or it was redriven.
Result<bool> Expire(Context& context, const Expirable& due);

/// Finds and expires what is due; one job's error is logged and keeps no other. Returns the number
/// of jobs that expired.
Result<int64_t> ExpireDue(Context& context);

/// Removes what a worker that had lost its lease may have published of a job that has expired
/// meanwhile.
Result<> RemoveIfExpired(Context& context, std::string_view job_id);

}  // namespace spillway::engine
