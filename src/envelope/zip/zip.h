#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"

namespace spillway::envelope {

/// What the central directory says of one member (APPNOTE.TXT 6.3.10, 4.3.12).
struct ZipEntry {
  std::string name;               ///< UTF-8, `/`-separated.
  uint32_t crc32 = 0;             ///< Of the member's own bytes.
  uint64_t compressed_bytes = 0;  ///< Deflated.
  uint64_t member_bytes = 0;      ///< Before deflating.
  uint64_t stored_bytes =
      0;  ///< Local header, data and descriptor: what the member takes in the archive.
  bool descriptor =
      false;  ///< Sizes stand after the data (bit 3), because it was drained before its end.
};

/// Builds one member of a zip archive: local header and deflated data. A member that is never
/// drained before Finish carries its sizes in the header; otherwise they follow in a data
/// descriptor. Members are independent: any worker can build any of them. One thread at a time.
class ZipMember {
 public:
  virtual ~ZipMember() = default;
  virtual Result<> Append(std::span<const std::byte> bytes) = 0;
  /// What has been built and not drained.
  virtual const Buffer& pending() const = 0;
  /// Drops everything pending, which the caller has stored. The header cannot be corrected any
  /// more.
  virtual void Drain() = 0;
  /// Ends the member; afterwards `pending` holds the rest.
  virtual Result<ZipEntry> Finish() = 0;
};

/// Level 1 (fast) to 9 (small). `modified` is written in UTC, to two seconds, as zip does.
Result<std::unique_ptr<ZipMember>> NewZipMember(std::string name, Timestamp modified, int level);

/// The central directory for members that stand one after the other from offset 0, in this order;
/// zip64 records where sizes, offsets or counts ask for them. Appended to `out`.
Result<> AppendZipDirectory(std::span<const ZipEntry> entries, Timestamp modified, Buffer& out);

}  // namespace spillway::envelope
