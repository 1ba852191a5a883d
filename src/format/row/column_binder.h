#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "format/row/column.h"
#include "format/row/instant_text.h"
#include "format/row/zone.h"

namespace spillway::format {

/// What a format quotes besides strings.
enum class QuotedValues { kNone, kTimes, kAll };

/// One column of a schema: knows how its values are stored and how much room their text takes, and
/// turns each batch's array into the raw form that the row loop reads. Not thread-safe.
class ColumnBinder {
 public:
  /// kUnsupported names a column whose type has no text. `zone` outlives the binder.
  static Result<ColumnBinder> Make(const arrow::Field& field, uint32_t index, const Zone& zone,
                                   QuotedValues quoted);

  ColumnBinder(ColumnBinder&&) noexcept;
  ColumnBinder& operator=(ColumnBinder&&) noexcept;
  ~ColumnBinder();

  /// Makes the binder fit a batch that has the column as another type than the last: text comes
  /// dictionary-encoded in one batch and plain in the next. Does nothing for the same type;
  /// kInvalidArgument for values of another.
  Result<> Adapt(const std::shared_ptr<arrow::DataType>& type);

  /// Points column() at `data`, which outlives its use. Dictionaries are bound as dictionary()
  /// says.
  void Bind(const arrow::ArrayData& data);

  const Column& column() const { return column_; }
  void SetPrefix(std::string_view prefix);

  /// The most bytes that the values of rows [begin, end) of the bound batch take, when a string's
  /// byte takes at most `growth` and what stands around it `around`.
  uint64_t TextBytesMax(int64_t begin, int64_t end, size_t growth, size_t around) const;

  /// The values behind a dictionary's indices; nullptr for any other column.
  ColumnBinder* dictionary() { return dictionary_.get(); }
  /// Whether the bound batch came with another dictionary than the text was made for.
  bool DictionaryChanged(const arrow::ArrayData& data) const;
  /// The entries of `dictionary` as the file has them: entry i is [starts[i], starts[i + 1]) of
  /// `text`. nullptr where the text serves the bound batch only.
  void SetDictionaryText(std::shared_ptr<arrow::ArrayData> dictionary, Buffer text,
                         std::vector<uint32_t> starts);
  /// Takes back the memory of the last dictionary's text.
  Buffer TakeDictionaryText() { return std::move(text_); }

  bool is_string() const {
    return column_.kind == Kind::kString || column_.kind == Kind::kLargeString;
  }

 private:
  ColumnBinder() = default;
  Result<> BindType(const arrow::Field& field, const arrow::DataType& type, const Zone& zone,
                    QuotedValues quoted);
  void SetDecimal(int32_t precision, int32_t scale, int width);

  std::shared_ptr<arrow::Field> field_;
  std::shared_ptr<arrow::DataType> bound_type_;
  const Zone* zone_ = nullptr;
  QuotedValues quoted_ = QuotedValues::kNone;

  Column column_;
  uint32_t fixed_bytes_max_ = 0;  // of a value that is no string
  std::string prefix_;
  std::unique_ptr<InstantText> instants_;

  std::unique_ptr<ColumnBinder> dictionary_;
  std::shared_ptr<arrow::ArrayData> dictionary_data_;
  Buffer text_;
  std::vector<uint32_t> starts_;
  uint32_t entry_bytes_max_ = 0;
};

}  // namespace spillway::format
