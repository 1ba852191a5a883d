#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace spillway::storage {

/// Where stages and unfinished objects live. Keys below it are listed only by a prefix that starts
/// with it; a stage's key must start with it.
inline constexpr std::string_view kPrivatePrefix = ".spillway/";

/// The prefix for files that are only needed while something is being written.
inline constexpr std::string_view kTemporaryPrefix = ".spillway/tmp/";

/// The longest key (S3's limit) and the longest part between two slashes (that of file systems).
inline constexpr size_t kMaxKeyBytes = 1024;
inline constexpr size_t kMaxSegmentBytes = 255;

/// The longest result of EscapeKeySegment. With `name=` before it or `.parquet` after it, it still
/// is a valid segment.
inline constexpr size_t kMaxEscapedBytes = 200;

/// kInvalidArgument, saying why, for a key that is empty or too long, starts or ends with `/`, or
/// has an empty, `.` or `..` segment, a control character (NUL too) or the name `.spillway` alone.
Result<> ValidateKey(std::string_view key);

/// Whether a key may have this part between two slashes.
bool IsKeySegment(std::string_view segment);

/// Turns any bytes (an organisation's name, say) into one safe segment; different names give
/// different segments. `[A-Za-z0-9_-]` and a `.` that is not the first stay; every other byte
/// becomes `%XX` in upper case, which other lake readers decode. The empty name is `%5Fempty`; a
/// name too long for kMaxEscapedBytes ends with `%2Dsha256-` and the SHA-256 of the whole name (no
/// escape of a shorter one holds `%5F` or `%2D`, so all stay apart, as far as SHA-256 does).
std::string EscapeKeySegment(std::string_view name);

/// The name that an escaped segment stands for. kInvalidArgument for what EscapeKeySegment never
/// returns; kUnsupported for a shortened name, which is known only where its owner has recorded it.
Result<std::string> UnescapeKeySegment(std::string_view segment);

}  // namespace spillway::storage
