#include "lake/column/page_reader.h"

#include <cstring>
#include <new>
#include <utility>

#include <zstd.h>

#include "base/digest.h"

namespace spillway::lake {
namespace {

std::unexpected<Error> Broken(std::string what) {
  return Fail(ErrorCode::kCorrupt, std::move(what));
}

arrow::Compression::type CodecOf(parquet::Compression::type compression) {
  using parquet::Compression;
  switch (compression) {
    case Compression::SNAPPY:
      return arrow::Compression::SNAPPY;
    case Compression::GZIP:
      return arrow::Compression::GZIP;
    case Compression::BROTLI:
      return arrow::Compression::BROTLI;
    case Compression::LZ4:
      return arrow::Compression::LZ4;
    case Compression::LZ4_HADOOP:
      return arrow::Compression::LZ4_HADOOP;
    default:
      return arrow::Compression::UNCOMPRESSED;
  }
}

}  // namespace

Decompressor::Decompressor() : zstd_(ZSTD_createDCtx()) {
  if (zstd_ == nullptr) throw std::bad_alloc();
}

Decompressor::~Decompressor() { ZSTD_freeDCtx(zstd_); }

bool Decompressor::Knows(parquet::Compression::type compression) {
  if (compression == parquet::Compression::UNCOMPRESSED ||
      compression == parquet::Compression::ZSTD) {
    return true;
  }
  const auto codec = CodecOf(compression);
  return codec != arrow::Compression::UNCOMPRESSED && arrow::util::Codec::IsAvailable(codec);
}

bool Decompressor::Decompress(parquet::Compression::type compression,
                              std::span<const std::byte> bytes, std::span<std::byte> out) {
  if (compression == parquet::Compression::ZSTD) {
    return ZSTD_decompressDCtx(zstd_, out.data(), out.size(), bytes.data(), bytes.size()) ==
           out.size();
  }
  if (other_ != compression) {
    auto codec = arrow::util::Codec::Create(CodecOf(compression));
    if (!codec.ok() || *codec == nullptr) return false;
    other_codec_ = *std::move(codec);
    other_ = compression;
  }
  const auto written = other_codec_->Decompress(
      static_cast<int64_t>(bytes.size()), reinterpret_cast<const uint8_t*>(bytes.data()),
      static_cast<int64_t>(out.size()), reinterpret_cast<uint8_t*>(out.data()));
  return written.ok() && *written == static_cast<int64_t>(out.size());
}

void PageReader::Start(const ColumnChunk& chunk) {
  chunk_ = chunk;
  left_ = chunk.bytes;
}

Result<bool> PageReader::Next() {
  if (left_.empty()) return false;
  const auto header = ParsePageHeader(left_);
  if (!header) return Broken("has a page without a header");
  left_ = left_.subspan(header->header_bytes);
  if (static_cast<size_t>(header->compressed_bytes) > left_.size() ||
      header->uncompressed_bytes > chunk_.uncompressed_bytes) {
    return Broken("has a page that is longer than its column");
  }
  page_ = {.header = *header, .bytes = left_.first(header->compressed_bytes)};
  left_ = left_.subspan(header->compressed_bytes);
  return true;
}

Result<std::span<const uint8_t>> PageReader::Open(const Page& page, Scratch& scratch) {
  const PageHeader& header = page.header;
  if (header.crc && *header.crc != Crc32(0, page.bytes)) {
    return Broken("has a page whose bytes do not fit its checksum");
  }
  const auto as_stored = [](std::span<const std::byte> bytes) {
    return std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  };
  const bool compressed =
      chunk_.compression != parquet::Compression::UNCOMPRESSED && header.compressed;
  if (!compressed) {
    if (header.compressed_bytes != header.uncompressed_bytes) {
      return Broken("has a page of another length than its header says");
    }
    return as_stored(page.bytes);
  }
  // Levels of a V2 page stand before the values and are never compressed.
  const size_t levels = header.type == PageHeader::Type::kDataV2
                            ? static_cast<size_t>(header.definition_level_bytes) +
                                  static_cast<size_t>(header.repetition_level_bytes)
                            : 0;
  const auto bytes = static_cast<size_t>(header.uncompressed_bytes);
  if (levels > page.bytes.size() || levels > bytes) return Broken("has a page that is all levels");
  uint8_t* const body = scratch.Take(static_cast<int64_t>(bytes));
  std::memcpy(body, page.bytes.data(), levels);
  if (bytes > levels &&
      !decompressor_.Decompress(chunk_.compression, page.bytes.subspan(levels),
                                std::as_writable_bytes(std::span(body + levels, bytes - levels)))) {
    return Broken("has a page that does not decompress");
  }
  return std::span<const uint8_t>(body, bytes);
}

}  // namespace spillway::lake
