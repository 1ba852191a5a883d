#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace spillway::lake {

/// The header before each page of a column chunk, as parquet.thrift's PageHeader defines it.
struct PageHeader {
  /// kOther has no values: an index, or what later versions of the format add.
  enum class Type { kData, kDictionary, kDataV2, kOther };

  Type type = Type::kOther;
  int32_t uncompressed_bytes = 0;
  int32_t compressed_bytes = 0;
  std::optional<uint32_t> crc;  ///< CRC-32 of the page as stored.

  int32_t values = 0;  ///< With nulls.
  int32_t encoding = 0;
  int32_t definition_level_encoding = 0;

  /// Of kDataV2 only: levels stand before the values, never compressed.
  int32_t rows = 0;
  int32_t definition_level_bytes = 0;
  int32_t repetition_level_bytes = 0;
  bool compressed = true;

  size_t header_bytes = 0;
};

/// Parses the header at the front of `bytes` (Thrift's compact protocol); nullopt when there is
/// none, when a field that parquet.thrift requires or the header of the page's own type is missing,
/// or when a length is negative.
std::optional<PageHeader> ParsePageHeader(std::span<const std::byte> bytes);

}  // namespace spillway::lake
