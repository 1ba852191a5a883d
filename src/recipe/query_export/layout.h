#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "recipe/output/output_options.h"
#include "recipe/query_export/records.h"

namespace spillway::recipe {

/// E8: leaves out the chunks and rows after limits.rows_per_file where it truncates, kOutOfSpace
/// where it fails. At least one chunk stays, perhaps without rows.
Result<> ApplyRowLimit(const Limits& limits, std::vector<QueryChunk>& chunks);

/// Gives the chunks' rows their files: `<stem>.csv`, or `<stem>_00001.csv` with rows_per_file each.
/// Where chunks make files of their own (Parquet, members of a zip), none has more.
Result<> LayOut(const OutputOptions& output, std::string_view stem,
                std::vector<QueryChunk>& chunks);

}  // namespace spillway::recipe
