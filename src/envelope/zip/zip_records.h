#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/buffer.h"
#include "base/clock.h"

namespace spillway::envelope {

// What local headers and the central directory have in common (APPNOTE.TXT 6.3.10).

inline constexpr uint32_t kZipLocalHeader = 0x04034b50;
inline constexpr uint32_t kZipDescriptor = 0x08074b50;
inline constexpr uint32_t kZipDirectoryEntry = 0x02014b50;
inline constexpr uint32_t kZip64End = 0x06064b50;
inline constexpr uint32_t kZip64Locator = 0x07064b50;
inline constexpr uint32_t kZipEnd = 0x06054b50;

inline constexpr uint16_t kZipVersionDeflate = 20;
inline constexpr uint16_t kZipVersionZip64 = 45;
inline constexpr uint16_t kZipFlagDescriptor = 1 << 3;
inline constexpr uint16_t kZipFlagUtf8 = 1 << 11;
inline constexpr uint16_t kZipMethodDeflate = 8;
inline constexpr uint16_t kZip64Extra = 1;
/// Says "see the zip64 record".
inline constexpr uint32_t kZipIn64 = 0xffffffff;
inline constexpr uint16_t kZipCountIn64 = 0xffff;

/// Little-endian integers, one after the other.
template <class Integer>
void AppendInteger(Buffer& out, Integer value) {
  char bytes[sizeof(Integer)];
  std::memcpy(bytes, &value, sizeof(Integer));
  out.Append(std::string_view(bytes, sizeof(Integer)));
}

/// Date (upper half) and time of MS-DOS, to two seconds. Times before 1980 and after 2107 become
/// the nearest that zip knows.
uint32_t ZipTime(Timestamp time);

}  // namespace spillway::envelope
