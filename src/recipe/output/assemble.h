#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "recipe/output/output_options.h"
#include "recipe/recipe.h"
#include "staging/staging.h"

namespace spillway::recipe {

/// Orders what ChunkWriters staged into files: `<stem>.csv`, `<stem>_00007.csv` or `<stem>.zip`,
/// whose directory is staged here. kOutOfSpace for files over limits.bytes_per_file, unless it
/// splits or truncates.
Result<Assembly> AssembleFiles(const OutputOptions& output, std::string_view stem,
                               std::vector<engine::Part> parts, Timestamp modified,
                               engine::Staging& staging);

/// `stem.csv` for the only file, `stem_00007.csv` for the seventh of several.
std::string NumberedName(std::string_view stem, int64_t number, int64_t files,
                         std::string_view extension);

}  // namespace spillway::recipe
