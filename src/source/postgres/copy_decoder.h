#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/error.h"
#include "source/postgres/column.h"
#include "source/postgres/column_buffer.h"

namespace spillway::postgres_source {

struct DecodeOptions {
  int64_t rows_per_batch = 16'384;
  size_t text_per_batch = 16 << 20;  ///< Bytes of a column's text, by which a batch ends early.
  /// The database's encoding is SQL_ASCII: nobody has checked yet that text is UTF-8.
  bool check_text = false;
};

/// Decodes COPY's binary format (https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format")
/// into record batches. Any bytes may be given. One thread at a time; after an error it is used for
/// nothing else.
///
/// kCorrupt: this is no such data, or not the columns'. kInvalidArgument: a value that its Arrow
/// type cannot hold (NaN as decimal, infinite times) or text that is not UTF-8, with column, row,
/// and what to do. Rows count from 1 at the first byte.
class CopyDecoder {
 public:
  using Consume = std::function<Result<>(const arrow::RecordBatch&)>;

  CopyDecoder(std::vector<Column> columns, DecodeOptions options, Consume consume);

  /// Bytes cut anywhere. Full batches are consumed meanwhile.
  Result<> Append(std::string_view bytes);

  /// After the last bytes: the last batch. kCorrupt when the data did not come to its end.
  Result<> Finish();

  /// Rows decoded so far.
  int64_t rows() const { return rows_before_ + row_; }

 private:
  /// Decodes the complete items at the start of `bytes` and returns their length. When an item is
  /// cut off, needed_ says how long it is at least.
  Result<size_t> Decode(std::string_view bytes);
  Result<size_t> DecodeHeader(std::string_view bytes);
  Result<size_t> DecodeRow(std::string_view bytes);
  Result<> HandOut();
  size_t CutOff(size_t needed) {
    needed_ = needed;
    return 0;
  }
  std::unexpected<Error> Corrupt(std::string_view what) const;
  std::unexpected<Error> Refuse(size_t column, Problem problem, size_t bytes) const;

  const std::vector<Column> columns_;
  const DecodeOptions options_;
  const Consume consume_;
  const std::shared_ptr<arrow::Schema> schema_;
  std::vector<ColumnBuffer> buffers_;
  std::string pending_;  ///< The beginning of an item that is not complete.
  size_t needed_ = 0;    ///< The least length of the next item.
  bool header_read_ = false;
  bool ended_ = false;
  bool begun_ = false;  ///< buffers_ hold rows of a batch.
  int64_t row_ = 0;     ///< Of the batch.
  int64_t rows_before_ = 0;
};

}  // namespace spillway::postgres_source
