#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace spillway::store {

/// What a transfer moved.
struct Transferred {
  int64_t jobs = 0;
  int64_t chunks = 0;
};

/// Copies jobs, their history, chunks and schedules from a SQLite database to a PostgreSQL database
/// that has none yet, in one transaction, and compares the digests of every table before it
/// commits. The file is not changed; during the copy nobody else can write to it. Messages are not
/// copied: they are hints, which the rescuer sends again. kConflict when work is under way in the
/// file, or the target has jobs.
Result<Transferred> TransferState(const std::filesystem::path& file,
                                  const std::string& postgres_address, Clock& clock,
                                  std::stop_token stop);

}  // namespace spillway::store
