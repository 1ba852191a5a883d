#include "format/sample_table.h"

#include <limits>

#include <arrow/api.h>
#include <arrow/compute/api_vector.h>

namespace spillway::format {
namespace {

constexpr int64_t kEndOf9999 = 253'402'300'799'999'999;

// The builders here fail only for want of memory.
std::shared_ptr<arrow::Array> Finished(arrow::ArrayBuilder& builder) {
  return builder.Finish().ValueOrDie();
}

void Check(const arrow::Status& status) {
  if (!status.ok()) status.Abort();
}

std::shared_ptr<arrow::Schema> SampleSchema() {
  return arrow::schema({arrow::field("text", arrow::utf8()), arrow::field("number", arrow::int64()),
                        arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                        arrow::field("price", arrow::decimal128(18, 4)),
                        arrow::field("channel", arrow::dictionary(arrow::int32(), arrow::utf8())),
                        arrow::field("flag", arrow::boolean())});
}

std::shared_ptr<arrow::Array> Channels(const std::vector<std::string>& names,
                                       const std::shared_ptr<arrow::Array>& indices) {
  arrow::StringBuilder builder;
  Check(builder.AppendValues(names));
  return arrow::DictionaryArray::FromArrays(indices, Finished(builder)).ValueOrDie();
}

}  // namespace

std::shared_ptr<arrow::RecordBatch> SampleTable(int64_t rows) {
  const auto schema = SampleSchema();
  arrow::StringBuilder text;
  arrow::Int64Builder number;
  arrow::TimestampBuilder at(schema->field(2)->type(), arrow::default_memory_pool());
  arrow::Decimal128Builder price(schema->field(3)->type());
  arrow::Int32Builder channel;
  arrow::BooleanBuilder flag;
  const std::string texts[] = {"plain", "comma, \"quote\"\r\nand line", "größe 通知 🙂"};
  const int64_t numbers[] = {1, std::numeric_limits<int64_t>::min(),
                             std::numeric_limits<int64_t>::max()};
  const int64_t times[] = {0, 1'738'367'999'000'001, kEndOf9999};
  const int64_t prices[] = {0, -1'234'567'890, 999'999'999'999'999'999};
  for (int64_t row = 0; row < rows; ++row) {
    Check(text.Append(row < 3 ? texts[row]
                              : std::string(static_cast<size_t>(row * 31 % 150), 'x') +
                                    texts[row % 3]));
    Check(number.Append(row < 3 ? numbers[row] : row * row * row * (row % 2 == 0 ? 1 : -1)));
    Check(at.Append(row < 3 ? times[row] : row * 12'345'678'901'234 % kEndOf9999));
    Check(price.Append(arrow::Decimal128(row < 3 ? prices[row] : row * 98'765'432'101)));
    Check(channel.Append(static_cast<int32_t>(row % 2)));
    Check(flag.Append(row % 2 == 0));
  }
  return arrow::RecordBatch::Make(schema, rows,
                                  {Finished(text), Finished(number), Finished(at), Finished(price),
                                   Channels({"sms", "voice"}, Finished(channel)), Finished(flag)});
}

std::shared_ptr<arrow::RecordBatch> NullTable(int64_t rows) {
  const auto schema = SampleSchema();
  arrow::ArrayVector columns;
  for (int column = 0; column < schema->num_fields(); ++column) {
    const bool dictionary = schema->field(column)->type()->id() == arrow::Type::DICTIONARY;
    const auto type = dictionary ? arrow::int32() : schema->field(column)->type();
    auto builder = arrow::MakeBuilder(type).ValueOrDie();
    for (int64_t row = 0; row < rows; ++row) {
      const bool absent = row % 8 == 7 || (row % 8 != 0 && row % (column + 2) == 0);
      Check(absent ? builder->AppendNull() : builder->AppendEmptyValue());
    }
    columns.push_back(dictionary ? Channels({"", "voice"}, Finished(*builder))
                                 : Finished(*builder));
  }
  return arrow::RecordBatch::Make(schema, rows, columns);
}

std::shared_ptr<arrow::RecordBatch> WithOtherDictionary(const arrow::RecordBatch& table) {
  const auto& channel = static_cast<const arrow::DictionaryArray&>(*table.column(4));
  arrow::Int32Builder indices;
  for (int64_t row = 0; row < channel.length(); ++row) {
    Check(indices.Append(2 - static_cast<int32_t>(channel.GetValueIndex(row))));
  }
  auto columns = table.columns();
  columns[4] = Channels({"not used", "changed voice", "changed sms"}, Finished(indices));
  return arrow::RecordBatch::Make(table.schema(), table.num_rows(), columns);
}

std::shared_ptr<arrow::RecordBatch> WideTable(int columns, int64_t rows) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (int column = 0; column < columns; ++column) {
    arrow::StringBuilder text;
    arrow::Int32Builder number;
    for (int64_t row = 0; row < rows; ++row) {
      const auto value = static_cast<int32_t>(row * columns + column);
      if ((row + column) % 7 == 0) {
        Check(text.AppendNull());
        Check(number.AppendNull());
      } else {
        Check(text.Append(std::to_string(value)));
        Check(number.Append(value));
      }
    }
    arrays.push_back(column % 2 == 0 ? Finished(text) : Finished(number));
    fields.push_back(arrow::field("c" + std::to_string(column), arrays.back()->type()));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), rows, arrays);
}

std::shared_ptr<arrow::RecordBatch> TextTable(const std::vector<std::string>& values) {
  arrow::StringBuilder text;
  Check(text.AppendValues(values));
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("text", arrow::utf8())}),
                                  static_cast<int64_t>(values.size()), {Finished(text)});
}

std::shared_ptr<arrow::RecordBatch> OneColumn(std::shared_ptr<arrow::Array> values) {
  const auto schema = arrow::schema({arrow::field("value", values->type())});
  const int64_t rows = values->length();
  return arrow::RecordBatch::Make(schema, rows, {std::move(values)});
}

std::shared_ptr<arrow::RecordBatch> WithoutDictionary(const arrow::RecordBatch& table, int column) {
  const auto& coded = static_cast<const arrow::DictionaryArray&>(*table.column(column));
  const auto values = *arrow::compute::Take(*coded.dictionary(), *coded.indices());
  const auto field = table.schema()->field(column)->WithType(values->type());
  return *table.SetColumn(column, field, values);
}

}  // namespace spillway::format
