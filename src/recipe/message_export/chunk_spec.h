#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "lake/read/read_plan.h"

namespace spillway::recipe {

/// What one chunk of a message export does.
struct ChunkSpec {
  lake::ReadUnit unit;  ///< With no slices: an empty file.
  std::string file;     ///< The output file, or the zip member, that the rows belong to.
  bool first = true;    ///< The unit opens its file.
  bool last = true;     ///< The unit closes its file.
  int64_t cut_off =
      0;  ///< Rows after the unit that a limit leaves out; they count as excluded here.
};

std::string ToJson(const ChunkSpec& spec);
Result<ChunkSpec> ChunkSpecFromJson(std::string_view json);

}  // namespace spillway::recipe
