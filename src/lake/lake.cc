#include "lake/lake.h"

#include <algorithm>
#include <cassert>

namespace spillway::lake {

int64_t DataFile::rows() const {
  int64_t rows = 0;
  for (const RowGroup& group : row_groups) rows += group.rows;
  return rows;
}

Timestamp DataFile::min_time() const {
  assert(!row_groups.empty());
  return std::ranges::min(row_groups, {}, &RowGroup::min_time).min_time;
}

Timestamp DataFile::max_time() const {
  assert(!row_groups.empty());
  return std::ranges::max(row_groups, {}, &RowGroup::max_time).max_time;
}

}  // namespace spillway::lake
