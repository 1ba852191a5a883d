#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "format/format.h"
#include "format/row/column_binder.h"
#include "format/row/row_loop.h"

namespace spillway::format {

/// How a text format puts its runs together.
template <class Dialect>
struct RowLayout {
  Dialect dialect;
  std::string opening;  ///< Before all rows.
  std::string closing;  ///< After all rows.
  size_t separator_bytes =
      0;  ///< Of each row's beginning, left out before the very first row of a file.
  bool needs_first_row = false;  ///< A run that opens but does not close the file must have rows.
  std::vector<std::string> prefixes;  ///< One a column, or none.
};

/// Writes rows as text in one dialect. Most time is spent in the row loop; this class binds batches
/// to it, block by block, so that the room reserved for the worst case stays small.
template <class Dialect>
class RowEncoder final : public Encoder {
 public:
  RowEncoder(RowLayout<Dialect> layout, std::vector<ColumnBinder> binders,
             std::vector<std::string> names, std::shared_ptr<const Zone> zone, Position position);

  Result<> Append(const arrow::RecordBatch& batch, Buffer& out) override;
  Result<> Finish(Buffer& out) override;

 private:
  void Open(Buffer& out);
  Result<> Bind(const arrow::RecordBatch& batch);
  CellWriter<Dialect> WriterFor(const Column& column) const;
  Result<> BindDictionary(ColumnBinder& binder, const std::shared_ptr<arrow::ArrayData>& data);
  Result<> CheckText(const ColumnBinder& binder, const arrow::ArrayData& data) const;
  Result<> WriteBlock(int64_t begin, int64_t end, Buffer& out);
  size_t AroundBytes() const;
  uint64_t BytesMax(int64_t begin, int64_t end) const;
  std::unexpected<Error> FailAt(uint32_t column, int64_t row, std::string_view why) const;

  RowLayout<Dialect> layout_;
  std::vector<ColumnBinder> binders_;
  std::vector<Column> columns_;  // binders_, bound
  std::vector<CellWriter<Dialect>> writers_;
  std::vector<std::string> names_;
  std::shared_ptr<const Zone> zone_;
  Position position_;
  bool opened_ = false;
  int64_t rows_ = 0;  // written before this batch
};

extern template class RowEncoder<CsvDialect>;
extern template class RowEncoder<JsonDialect>;

}  // namespace spillway::format
