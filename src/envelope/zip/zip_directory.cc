#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "envelope/zip/zip.h"
#include "envelope/zip/zip_records.h"

namespace spillway::envelope {
namespace {

// Made on Unix, by the version that knows zip64; a plain file that everybody may read.
constexpr uint16_t kMadeBy = 3 << 8 | kZipVersionZip64;
constexpr uint32_t kAttributes = 0100644u << 16;

uint32_t In32(uint64_t value) { return static_cast<uint32_t>(std::min<uint64_t>(value, kZipIn64)); }
uint16_t In16(uint64_t value) {
  return static_cast<uint16_t>(std::min<uint64_t>(value, kZipCountIn64));
}

void AppendEntry(const ZipEntry& entry, uint64_t offset, uint32_t time, Buffer& out) {
  // In this order, and only those that do not fit (4.5.3).
  Buffer wide;
  for (uint64_t value : {entry.member_bytes, entry.compressed_bytes, offset}) {
    if (value >= kZipIn64) AppendInteger(wide, value);
  }
  AppendInteger(out, kZipDirectoryEntry);
  AppendInteger(out, kMadeBy);
  AppendInteger(out, wide.empty() ? kZipVersionDeflate : kZipVersionZip64);
  AppendInteger<uint16_t>(out, kZipFlagUtf8 | (entry.descriptor ? kZipFlagDescriptor : 0));
  AppendInteger(out, kZipMethodDeflate);
  AppendInteger(out, time);
  AppendInteger(out, entry.crc32);
  AppendInteger(out, In32(entry.compressed_bytes));
  AppendInteger(out, In32(entry.member_bytes));
  AppendInteger(out, static_cast<uint16_t>(entry.name.size()));
  AppendInteger(out, static_cast<uint16_t>(wide.empty() ? 0 : 4 + wide.size()));
  AppendInteger<uint16_t>(out, 0);  // comment
  AppendInteger<uint16_t>(out, 0);  // disk
  AppendInteger<uint16_t>(out, 0);  // internal attributes
  AppendInteger(out, kAttributes);
  AppendInteger(out, In32(offset));
  out.Append(entry.name);
  if (wide.empty()) return;
  AppendInteger(out, kZip64Extra);
  AppendInteger(out, static_cast<uint16_t>(wide.size()));
  out.Append(wide.view());
}

void AppendZip64End(uint64_t entries, uint64_t directory_bytes, uint64_t directory_offset,
                    Buffer& out) {
  AppendInteger(out, kZip64End);
  AppendInteger<uint64_t>(out, 44);  // of this record, after this field
  AppendInteger(out, kMadeBy);
  AppendInteger(out, kZipVersionZip64);
  AppendInteger<uint32_t>(out, 0);  // this disk
  AppendInteger<uint32_t>(out, 0);  // the directory's
  AppendInteger(out, entries);      // on this disk
  AppendInteger(out, entries);
  AppendInteger(out, directory_bytes);
  AppendInteger(out, directory_offset);
  AppendInteger(out, kZip64Locator);
  AppendInteger<uint32_t>(out, 0);
  AppendInteger(out, directory_offset + directory_bytes);
  AppendInteger<uint32_t>(out, 1);
}

}  // namespace

Result<> AppendZipDirectory(std::span<const ZipEntry> entries, Timestamp modified, Buffer& out) {
  const uint32_t time = ZipTime(modified);
  std::unordered_set<std::string_view> names;
  const size_t begin = out.size();
  uint64_t offset = 0;
  for (const ZipEntry& entry : entries) {
    if (!names.insert(entry.name).second) {
      return Fail(ErrorCode::kInvalidArgument,
                  "zip: two members are named \"" + entry.name + "\"; unpacking would lose one");
    }
    AppendEntry(entry, offset, time, out);
    offset += entry.stored_bytes;
  }
  const uint64_t bytes = out.size() - begin;
  const uint64_t count = entries.size();
  if (count >= kZipCountIn64 || bytes >= kZipIn64 || offset >= kZipIn64) {
    AppendZip64End(count, bytes, offset, out);
  }
  AppendInteger(out, kZipEnd);
  AppendInteger<uint16_t>(out, 0);  // this disk
  AppendInteger<uint16_t>(out, 0);  // the directory's
  AppendInteger(out, In16(count));  // on this disk
  AppendInteger(out, In16(count));
  AppendInteger(out, In32(bytes));
  AppendInteger(out, In32(offset));
  AppendInteger<uint16_t>(out, 0);  // comment
  return {};
}

}  // namespace spillway::envelope
