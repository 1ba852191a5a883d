#include "storage/s3/join_plan.h"

#include <algorithm>

namespace spillway::storage::s3 {
namespace {

Extent TakeFront(Extent& from, uint64_t bytes) {
  Extent front = from;
  front.range.bytes = bytes;
  from.range.offset += bytes;
  from.range.bytes -= bytes;
  return front;
}

/// As much of a long extent as one part takes, leaving no short rest.
uint64_t CopyBytes(uint64_t bytes, uint64_t part_min, uint64_t part_max) {
  if (bytes <= part_max) return bytes;
  return std::min(part_max, bytes - part_min);
}

bool Continues(const Extent& before, const Extent& next) {
  return before.range.key == next.range.key &&
         before.range.offset + before.range.bytes == next.range.offset;
}

}  // namespace

std::vector<JoinPart> PlanJoin(const std::vector<Extent>& extents, uint64_t part_min,
                               uint64_t part_max) {
  std::vector<JoinPart> parts;
  JoinPart open;
  uint64_t open_bytes = 0;
  for (Extent rest : extents) {
    while (rest.range.bytes > 0) {
      if (open.empty() && rest.range.bytes >= part_min) {
        parts.push_back({TakeFront(rest, CopyBytes(rest.range.bytes, part_min, part_max))});
        continue;
      }
      const uint64_t taken = std::min(rest.range.bytes, part_min - open_bytes);
      const Extent front = TakeFront(rest, taken);
      if (!open.empty() && Continues(open.back(), front)) {
        open.back().range.bytes += taken;
      } else {
        open.push_back(front);
      }
      open_bytes += taken;
      if (open_bytes == part_min) {
        parts.push_back(std::exchange(open, {}));
        open_bytes = 0;
      }
    }
  }
  if (!open.empty()) parts.push_back(std::move(open));
  return parts;
}

uint64_t BytesOf(const JoinPart& part) {
  uint64_t bytes = 0;
  for (const Extent& extent : part) bytes += extent.range.bytes;
  return bytes;
}

}  // namespace spillway::storage::s3
