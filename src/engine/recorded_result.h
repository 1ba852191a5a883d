#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "job/job.h"
#include "result/chunk_result.h"
#include "staging/staging.h"

namespace spillway::engine {

/// Causes of failures name hosts, paths and users: they stay in the chunks' records.
std::vector<ErrorRecord> ForRecipients(std::vector<ErrorRecord> errors);

/// What the store is to keep of a chunk's result. A result whose JSON is above `bytes_max` is put
/// into an object of the stage, without the causes of failures, and the record has its key, its
/// counts and its first errors.
Result<std::string> RecordResult(Staging& staging, const Lease& lease, ChunkResult result,
                                 size_t bytes_max);

/// The whole result that a record stands for. kCorrupt where the object is not the one that was
/// stored, kNotFound where it is gone.
Result<ChunkResult> RecordedResult(Staging& staging, std::string_view record, std::stop_token stop);

}  // namespace spillway::engine
