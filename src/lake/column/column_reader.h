#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <arrow/type_fwd.h>
#include <parquet/schema.h>

#include "base/error.h"
#include "lake/column/page_reader.h"
#include "lake/column/run_decoder.h"

namespace spillway::lake {

/// What the readers of a file's columns share.
struct ColumnMemory {
  arrow::MemoryPool& pool;
  Decompressor& decompressor;
};

/// Decodes the rows of one column straight into Arrow's layout. Errors are kCorrupt, or
/// kUnsupported where the bytes may be right and only their form cannot be read; they tell what is
/// wrong, not where. Used by one thread.
class ColumnReader {
 public:
  virtual ~ColumnReader() = default;

  /// For a column that is not nested and whose stored form reads as `type`. kUnsupported for a type
  /// that no lake has.
  static Result<std::unique_ptr<ColumnReader>> Make(const parquet::ColumnDescriptor& stored,
                                                    const std::shared_ptr<arrow::DataType>& type,
                                                    const ColumnMemory& memory);

  /// Starts at the front of a chunk, which stays valid until the next Start.
  void Start(const ColumnChunk& chunk);

  /// Passes over rows; pages that hold no others are not decompressed.
  Result<> Skip(int64_t rows);

  /// About how many bytes each of the next rows takes in memory, rather more than less.
  Result<int64_t> RowBytes();

  /// The next rows.
  Result<std::shared_ptr<arrow::Array>> Read(int64_t rows);

 protected:
  ColumnReader(const parquet::ColumnDescriptor& stored, std::shared_ptr<arrow::DataType> type,
               const ColumnMemory& memory);

  /// Memory for a batch's values; kUnavailable when there is none left.
  Result<std::shared_ptr<arrow::Buffer>> Allocate(int64_t bytes) const;
  arrow::MemoryPool& pool() const { return pool_; }

  /// What a batch's validity looks like; no bitmap where nothing is null.
  struct Validity {
    std::shared_ptr<arrow::Buffer> bitmap;
    int64_t nulls = 0;
  };

  // Implemented for each kind of values, which are those that are not null. False means that the
  // bytes of the page are broken.

  /// Drops what was kept of the previous chunk.
  virtual void StartChunk() = 0;
  /// Takes a dictionary page of `values` values; there is one at most. The bytes stay until the
  /// next chunk.
  virtual bool StartDictionary(std::span<const uint8_t> bytes, int64_t values) = 0;
  /// The most bytes that a row takes whose value is in the dictionary.
  virtual int64_t LookedUpBytesMax() const { return 0; }
  /// Takes the values of a data page, which are PLAIN or in any encoding that Parquet's own
  /// decoders know.
  virtual bool StartPlain(std::span<const uint8_t> bytes) = 0;
  virtual bool StartOther(parquet::Encoding::type encoding, std::span<const uint8_t> bytes,
                          int64_t values) = 0;
  /// Takes a data page's indices into the dictionary.
  virtual bool StartIndices(RunDecoder indices) = 0;
  virtual Result<> StartBatch(int64_t rows) = 0;
  virtual bool Append(int64_t values) = 0;
  virtual void AppendNulls(int64_t nulls) = 0;
  virtual bool SkipValues(int64_t values) = 0;
  virtual Result<std::shared_ptr<arrow::Array>> FinishBatch(int64_t rows, Validity validity) = 0;

  const ColumnChunk& chunk() const { return chunk_; }
  const std::shared_ptr<arrow::DataType>& type() const { return type_; }
  const parquet::ColumnDescriptor& stored() const { return stored_; }

 private:
  Result<bool> OpenPage();
  Result<> StartPage();
  Result<std::span<const uint8_t>> StartLevels(std::span<const uint8_t> body,
                                               const PageHeader& header);
  Result<> OpenDictionary();
  /// Calls `present(n)` and `absent(n)` for the next rows of the page, in their order.
  template <class Present, class Absent>
  bool ForRuns(int64_t rows, Present present, Absent absent);
  Result<> MarkNulls(int64_t row, int64_t nulls, int64_t rows);

  const parquet::ColumnDescriptor& stored_;
  const std::shared_ptr<arrow::DataType> type_;
  const bool nullable_;
  ColumnChunk chunk_;
  arrow::MemoryPool& pool_;
  PageReader pages_;
  Scratch dictionary_bytes_;
  Scratch page_bytes_;
  bool page_started_ = false;
  int64_t page_left_ = 0;                            ///< Rows left of the current page.
  int64_t chunk_left_ = 0;                           ///< Rows of the chunk after the current page.
  std::optional<PageReader::Page> dictionary_page_;  ///< Opened when a page first needs it.
  bool dictionary_open_ = false;
  bool page_has_nulls_ = false;
  RunDecoder levels_;
  Validity validity_;
};

}  // namespace spillway::lake
