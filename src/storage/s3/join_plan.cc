#include "storage/s3/join_plan.h"

#include <algorithm>
#include <utility>

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

void AddTo(JoinPart& part, const Extent& extent) {
  if (!part.empty() && Continues(part.back(), extent)) {
    part.back().range.bytes += extent.range.bytes;
  } else {
    part.push_back(extent);
  }
}

/// Makes a short last part long enough with the end of the one before it, or with all of it.
void FillLast(std::vector<JoinPart>& parts, uint64_t part_min) {
  if (parts.size() < 2 || BytesOf(parts.back()) >= part_min) return;
  const JoinPart rest = std::move(parts.back());
  parts.pop_back();
  const uint64_t missing = part_min - BytesOf(rest);
  if (JoinPart& before = parts.back();
      before.size() == 1 && before[0].range.bytes >= part_min + missing) {
    const Extent kept = TakeFront(before[0], before[0].range.bytes - missing);
    parts.insert(parts.end() - 1, JoinPart{kept});
  }
  for (const Extent& extent : rest) AddTo(parts.back(), extent);
}

}  // namespace

std::vector<JoinPart> PlanJoin(const std::vector<Extent>& extents, uint64_t part_min,
                               uint64_t part_max, LastPart last) {
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
      AddTo(open, front);
      open_bytes += taken;
      if (open_bytes == part_min) {
        parts.push_back(std::exchange(open, {}));
        open_bytes = 0;
      }
    }
  }
  if (!open.empty()) parts.push_back(std::move(open));
  if (last == LastPart::kFull) FillLast(parts, part_min);
  return parts;
}

uint64_t BytesOf(const JoinPart& part) {
  uint64_t bytes = 0;
  for (const Extent& extent : part) bytes += extent.range.bytes;
  return bytes;
}

}  // namespace spillway::storage::s3
