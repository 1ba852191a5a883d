#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spillway::lake {

/// The partition of an organisation and a UTC day: `org=<escaped>/day=2025-01-31/`.
std::string PartitionPrefix(std::string_view organisation, int32_t day);

/// The day as ISO 8601 writes it, "2025-01-31".
std::string FormatDay(int32_t day);

/// The name of the number-th file that one writer puts into the lake,
/// `<label>-<writer>-<number>.parquet`. `writer` is 16 hexadecimal digits drawn for every
/// attempt, so that two attempts at the same batch never touch each other's files; `label` is only
/// for the reader's eye.
std::string DataFileName(std::string_view label, std::string_view writer, int64_t number);

/// Whether Spillway itself named the object: what has another name is somebody else's.
bool IsDataFileName(std::string_view key);

}  // namespace spillway::lake
