#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/s3/client.h"

namespace spillway::storage::s3 {

/// One part of a join. Of one extent: the server copies it. Of several: they are read and sent.
using JoinPart = std::vector<Extent>;

/// The last part of all may be short; one before others may not.
enum class LastPart { kMayBeShort, kFull };

/// Cuts extents, in their order, into parts of at least `part_min` bytes (but for a short last one,
/// or where there are fewer bytes in all) and at most `part_max`. As much as can be is copied; for
/// every run of short extents less than `part_min` bytes of the extents beside it are read with
/// them.
std::vector<JoinPart> PlanJoin(const std::vector<Extent>& extents, uint64_t part_min,
                               uint64_t part_max, LastPart last = LastPart::kMayBeShort);

uint64_t BytesOf(const JoinPart& part);

}  // namespace spillway::storage::s3
