#include "format/row/row_encoder.h"

#include <algorithm>
#include <map>
#include <string_view>

#include <arrow/api.h>

#include "format/row/text_check.h"

namespace spillway::format {
namespace {

// Reserved for the worst case at a time; small enough for a core's own cache.
constexpr uint64_t kBlockBytes = 1 << 20;

constexpr std::string_view kNoTime = "a year of more than nine digits; leave such rows out";
constexpr std::string_view kNoTimeOfDay =
    "no time of day from 00:00:00 on and before 24:00:00; leave such rows out";
constexpr std::string_view kNoText = "not valid UTF-8; JSON has no other text";

std::string_view WhyNoText(const Column& column) {
  return column.kind == Kind::kTimeOfDay ? kNoTimeOfDay : kNoTime;
}

}  // namespace

template <class Dialect>
RowEncoder<Dialect>::RowEncoder(RowLayout<Dialect> layout, std::vector<ColumnBinder> binders,
                                std::vector<std::string> names, std::shared_ptr<const Zone> zone,
                                Position position)
    : layout_(std::move(layout)),
      binders_(std::move(binders)),
      columns_(binders_.size()),
      writers_(binders_.size()),
      names_(std::move(names)),
      zone_(std::move(zone)),
      position_(position) {
  for (size_t i = 0; i < layout_.prefixes.size(); ++i) binders_[i].SetPrefix(layout_.prefixes[i]);
}

template <class Dialect>
Result<> RowEncoder<Dialect>::Append(const arrow::RecordBatch& batch, Buffer& out) {
  Open(out);
  const int64_t rows = batch.num_rows();
  if (rows == 0) return {};
  TRY(Bind(batch));
  int64_t row = 0;
  if (layout_.separator_bytes != 0 && position_.first && rows_ == 0) {
    columns_[0].prefix += layout_.separator_bytes;
    columns_[0].prefix_bytes -= static_cast<uint32_t>(layout_.separator_bytes);
    TRY(WriteBlock(0, 1, out));
    columns_[0] = binders_[0].column();
    row = 1;
  }
  const auto blocks = static_cast<int64_t>(BytesMax(0, rows) / kBlockBytes) + 1;
  const int64_t block_rows = std::max<int64_t>(rows / blocks, 1);
  for (; row < rows; row += block_rows) TRY(WriteBlock(row, std::min(row + block_rows, rows), out));
  rows_ += rows;
  return {};
}

template <class Dialect>
Result<> RowEncoder<Dialect>::Finish(Buffer& out) {
  if (layout_.needs_first_row && position_.first && !position_.last && rows_ == 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "the first of several runs has no rows; a file without rows is written as one run");
  }
  Open(out);
  if (position_.last) out.Append(layout_.closing);
  return {};
}

template <class Dialect>
void RowEncoder<Dialect>::Open(Buffer& out) {
  if (!std::exchange(opened_, true) && position_.first) out.Append(layout_.opening);
}

template <class Dialect>
Result<> RowEncoder<Dialect>::Bind(const arrow::RecordBatch& batch) {
  if (static_cast<size_t>(batch.num_columns()) != binders_.size()) {
    return Fail(ErrorCode::kInvalidArgument, "a batch of " + std::to_string(batch.num_columns()) +
                                                 " columns for a file of " +
                                                 std::to_string(binders_.size()));
  }
  for (size_t i = 0; i < binders_.size(); ++i) {
    ColumnBinder& binder = binders_[i];
    const auto data = batch.column_data(static_cast<int>(i));
    TRY(binder.Adapt(data->type));
    if (binder.dictionary() != nullptr && binder.DictionaryChanged(*data)) {
      TRY(BindDictionary(binder, data));
    }
    binder.Bind(*data);
    columns_[i] = binder.column();
    writers_[i] = WriterFor(binder.column());
    if (Dialect::kJson && binder.is_string()) TRY(CheckText(binder, *data));
  }
  return {};
}

template <class Dialect>
CellWriter<Dialect> RowEncoder<Dialect>::WriterFor(const Column& column) const {
  return CellWriterFor<Dialect>(column.kind, column.validity != nullptr);
}

template <class Dialect>
Result<> RowEncoder<Dialect>::BindDictionary(ColumnBinder& binder,
                                             const std::shared_ptr<arrow::ArrayData>& data) {
  const arrow::ArrayData& entries = *data->dictionary;
  ColumnBinder& values = *binder.dictionary();
  values.Bind(entries);
  Buffer text = binder.TakeDictionaryText();
  text.Clear();
  std::vector<uint32_t> starts = {0};
  starts.reserve(static_cast<size_t>(entries.length) + 1);
  std::map<int64_t, std::string_view> refused;
  const bool check_text = Dialect::kJson && values.is_string() &&
                          FirstInvalidText(values.column(), entries.length) >= 0;

  const CellWriter<Dialect> write = WriterFor(values.column());
  const size_t around = AroundBytes();
  for (int64_t i = 0; i < entries.length; ++i) {
    char* at = text.Reserve(values.TextBytesMax(i, i + 1, Dialect::kGrowth, around));
    char* end = write(layout_.dialect, values.column(), i, at);
    if (end == nullptr) {
      refused.emplace(i, WhyNoText(values.column()));
    } else if (check_text && !IsValidText(values.column(), i)) {
      refused.emplace(i, kNoText);
    } else {
      text.Advance(static_cast<size_t>(end - at));
    }
    if (text.size() > UINT32_MAX) {
      return Fail(ErrorCode::kUnsupported, "column \"" + names_[values.column().index] +
                                               "\": a dictionary of more than 4 GiB");
    }
    starts.push_back(static_cast<uint32_t>(text.size()));
  }
  text.Reserve(0);
  // An entry that cannot be written is an error of the rows that use it.
  if (!refused.empty()) {
    const arrow::DictionaryArray array(data);
    for (int64_t row = 0; row < array.length(); ++row) {
      const auto found = array.IsNull(row) ? refused.end() : refused.find(array.GetValueIndex(row));
      if (found != refused.end()) return FailAt(values.column().index, row, found->second);
    }
  }
  binder.SetDictionaryText(refused.empty() ? data->dictionary : nullptr, std::move(text),
                           std::move(starts));
  return {};
}

template <class Dialect>
Result<> RowEncoder<Dialect>::CheckText(const ColumnBinder& binder,
                                        const arrow::ArrayData& data) const {
  if (data.length == 0) return {};
  const int64_t row = FirstInvalidText(binder.column(), data.length);
  if (row >= 0) return FailAt(binder.column().index, row, kNoText);
  return {};
}

template <class Dialect>
Result<> RowEncoder<Dialect>::WriteBlock(int64_t begin, int64_t end, Buffer& out) {
  char* at = out.Reserve(BytesMax(begin, end));
  RowFailure failure;
  char* written_to =
      WriteRows<Dialect>(layout_.dialect, columns_, writers_, begin, end, at, &failure);
  if (failure.row >= 0)
    return FailAt(failure.column, failure.row, WhyNoText(columns_[failure.column]));
  out.Advance(static_cast<size_t>(written_to - at));
  return {};
}

template <class Dialect>
size_t RowEncoder<Dialect>::AroundBytes() const {
  return Dialect::kAround + layout_.dialect.null_bytes + 1;  // and the delimiter
}

template <class Dialect>
uint64_t RowEncoder<Dialect>::BytesMax(int64_t begin, int64_t end) const {
  const Dialect& dialect = layout_.dialect;
  const size_t around = AroundBytes();
  uint64_t bytes = static_cast<uint64_t>(end - begin) * dialect.row_end_bytes;
  for (const ColumnBinder& binder : binders_)
    bytes += binder.TextBytesMax(begin, end, Dialect::kGrowth, around);
  return bytes;
}

template <class Dialect>
std::unexpected<Error> RowEncoder<Dialect>::FailAt(uint32_t column, int64_t row,
                                                   std::string_view why) const {
  return Fail(ErrorCode::kInvalidArgument, "column \"" + names_[column] + "\", row " +
                                               std::to_string(rows_ + row + 1) + ": " +
                                               std::string(why));
}

template class RowEncoder<CsvDialect>;
template class RowEncoder<JsonDialect>;

}  // namespace spillway::format
