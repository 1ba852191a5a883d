#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/s3/client.h"

namespace spillway::storage::s3 {

/// One part of a join. Of one extent: the server copies it. Of several: they are read and sent.
using JoinPart = std::vector<Extent>;

/// Cuts extents, in their order, into parts of at least `part_min` bytes (but for the last) and at
/// most `part_max`. As much as can be is copied; for every run of short extents less than
/// `part_min` bytes of the extents beside it are read with them.
std::vector<JoinPart> PlanJoin(const std::vector<Extent>& extents, uint64_t part_min,
                               uint64_t part_max);

uint64_t BytesOf(const JoinPart& part);

}  // namespace spillway::storage::s3
