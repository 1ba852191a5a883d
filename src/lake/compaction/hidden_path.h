#pragma once

#include <string_view>

namespace spillway::lake {

/// Whether a path below a directory of data is no data by the rule that Hive, Spark and pyarrow
/// share: a segment of it begins with `.` or `_`. So Spark's `_temporary`, checksums such as
/// `.part-0.parquet.crc` and files that somebody is still writing are told from what is done. A
/// directory `_name=value` is a partition and no more hidden than any other, as Spark has it.
bool IsHiddenPath(std::string_view path);

}  // namespace spillway::lake
