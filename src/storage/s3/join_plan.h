#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/s3/client.h"

namespace spillway::storage::s3 {

/// The extents of one part of a join. The server copies a single one; several are read and sent.
using JoinPart = std::vector<Extent>;

/// The last part of all may be short; one before others may not.
enum class LastPart { kMayBeShort, kFull };

/// Cuts extents, in their order, into parts of at least `part_min` bytes (except for a short last
/// one, or where there are fewer bytes in all) and at most `part_max`. As much as possible is
/// copied: with every run of short extents, less than `part_min` bytes of its neighbours are read.
std::vector<JoinPart> PlanJoin(const std::vector<Extent>& extents, uint64_t part_min,
                               uint64_t part_max, LastPart last = LastPart::kMayBeShort);

uint64_t BytesOf(const JoinPart& part);

}  // namespace spillway::storage::s3
