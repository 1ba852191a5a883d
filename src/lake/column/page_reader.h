#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <arrow/util/compression.h>
#include <parquet/types.h>

#include "base/error.h"
#include "lake/column/page_header.h"
#include "lake/column/scratch.h"

struct ZSTD_DCtx_s;

namespace spillway::lake {

/// Decompresses pages. A thread has one for all columns that it reads, because its state is reused.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();

  /// Whether Decompress supports the compression, or there is none.
  static bool Knows(parquet::Compression::type compression);

  /// Fills `out` exactly; false where the bytes are broken or give another length.
  bool Decompress(parquet::Compression::type compression, std::span<const std::byte> bytes,
                  std::span<std::byte> out);

 private:
  ZSTD_DCtx_s* zstd_;
  parquet::Compression::type other_ = parquet::Compression::UNCOMPRESSED;
  std::unique_ptr<arrow::util::Codec> other_codec_;
};

/// The bytes of one column chunk as they are stored, followed by Scratch::kSlack bytes that may be
/// read.
struct ColumnChunk {
  std::span<const std::byte> bytes;
  parquet::Compression::type compression = parquet::Compression::UNCOMPRESSED;
  int64_t values = 0;              ///< With nulls.
  int64_t uncompressed_bytes = 0;  ///< Of all pages. No page may claim more.
};

/// Goes through the pages of a column chunk. Errors are kCorrupt and tell what is wrong, not where.
class PageReader {
 public:
  explicit PageReader(Decompressor& decompressor) : decompressor_(decompressor) {}

  void Start(const ColumnChunk& chunk);

  struct Page {
    PageHeader header;
    std::span<const std::byte> bytes;  ///< As stored.
  };

  /// Goes to the next page; its bytes stay compressed. False after the last.
  Result<bool> Next();
  const Page& page() const { return page_; }

  /// A page of the chunk, checked and decompressed, with its levels; Scratch::kSlack bytes after
  /// it may be read. Lies in `scratch` or in the chunk.
  Result<std::span<const uint8_t>> Open(const Page& page, Scratch& scratch);

 private:
  Decompressor& decompressor_;
  ColumnChunk chunk_;
  std::span<const std::byte> left_;
  Page page_;
};

}  // namespace spillway::lake
