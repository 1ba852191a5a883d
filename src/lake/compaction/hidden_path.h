#pragma once

#include <string_view>

namespace spillway::lake {

/// Whether a path below a data directory is hidden, by the rule that Hive, Spark and pyarrow share:
/// one of its segments begins with `.` or `_`. Spark's `_temporary`, checksums such as
/// `.part-0.parquet.crc` and files that are still being written have such names. A directory
/// `_name=value` is a partition and not hidden, as in Spark.
bool IsHiddenPath(std::string_view path);

}  // namespace spillway::lake
