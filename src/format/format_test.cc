#include "format/format.h"

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <nlohmann/json.hpp>
#include <parquet/arrow/reader.h>

#include "format/conformance.h"

namespace spillway::format {
namespace {

// RFC 4180 with a header. An empty field without quotes is absent.
Rows ReadCsv(std::string_view file) {
  Rows rows;
  std::vector<std::optional<std::string>> row;
  for (size_t at = 0; at < file.size();) {
    std::optional<std::string> field;
    if (file[at] == '"') {
      field.emplace();
      for (++at; file[at] != '"' || file[at + 1] == '"'; ++at) {
        *field += file[at];
        if (file[at] == '"') ++at;
      }
      ++at;
    } else {
      const size_t end = std::min(file.find_first_of(",\r", at), file.size());
      if (end != at) field = std::string(file.substr(at, end - at));
      at = end;
    }
    row.push_back(std::move(field));
    if (file[at] == ',') {
      ++at;
      continue;
    }
    EXPECT_EQ(file.substr(at, 2), "\r\n");
    at += 2;
    rows.push_back(std::move(row));
    row.clear();
  }
  EXPECT_FALSE(rows.empty()) << "no header";
  if (!rows.empty()) rows.erase(rows.begin());
  return rows;
}

std::optional<std::string> CellOf(const nlohmann::ordered_json& value) {
  if (value.is_null()) return std::nullopt;
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Numbers are kept as they stand: decimals would lose digits as doubles.
std::vector<std::optional<std::string>> RowOf(std::string_view text) {
  std::string quoted(text);
  const size_t price = quoted.find("\"price\":");
  if (price != std::string::npos && quoted[price + 8] != 'n') {
    quoted.insert(quoted.find(',', price), "\"");
    quoted.insert(price + 8, "\"");
  }
  std::vector<std::optional<std::string>> row;
  const auto object = nlohmann::ordered_json::parse(quoted);
  for (const auto& [key, value] : object.items()) row.push_back(CellOf(value));
  return row;
}

Rows ReadLines(std::string_view file) {
  Rows rows;
  while (!file.empty()) {
    const size_t end = file.find('\n');
    EXPECT_NE(end, std::string_view::npos);
    rows.push_back(RowOf(file.substr(0, end)));
    file.remove_prefix(end + 1);
  }
  return rows;
}

Rows ReadJson(std::string_view file) {
  EXPECT_TRUE(nlohmann::json::accept(file)) << file.substr(0, 1000);
  EXPECT_TRUE(file.starts_with("[\n") && file.ends_with("\n]\n"));
  std::string lines;
  // One row a line, divided by a comma at its end.
  for (std::string_view rest = file.substr(2, file.size() - 4); !rest.empty();) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    if (line.ends_with(',')) line.remove_suffix(1);
    if (!line.empty()) lines.append(line).append("\n");
    rest.remove_prefix(end + 1);
  }
  return ReadLines(lines);
}

Rows ReadParquet(std::string_view file) {
  auto input =
      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::string(file)));
  auto reader = parquet::arrow::OpenFile(input, arrow::default_memory_pool()).ValueOrDie();
  const auto table = reader->ReadTable().ValueOrDie();
  Rows rows(static_cast<size_t>(table->num_rows()));
  for (const auto& column : table->columns()) {
    for (int64_t i = 0; i < table->num_rows(); ++i) {
      auto scalar = column->GetScalar(i).ValueOrDie();
      if (scalar->type->id() == arrow::Type::DICTIONARY) {
        scalar =
            static_cast<const arrow::DictionaryScalar&>(*scalar).GetEncodedValue().ValueOrDie();
      }
      auto& cell = rows[static_cast<size_t>(i)].emplace_back();
      if (!scalar->is_valid) continue;
      cell = scalar->ToString();
      if (scalar->type->id() == arrow::Type::TIMESTAMP) (*cell)[10] = 'T';
    }
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(
    Formats, FormatConformance,
    ::testing::Values(
        FormatCase{"csv", [] { return NewCsvFormat({}); }, ReadCsv},
        FormatCase{"csv_quoted", [] { return NewCsvFormat({.quoting = Quoting::kAll}); }, ReadCsv},
        FormatCase{"json", [] { return NewJsonFormat({}); }, ReadJson},
        FormatCase{"ndjson", [] { return NewJsonFormat({.lines = true}); }, ReadLines},
        FormatCase{"parquet", [] { return NewParquetFormat({}); }, ReadParquet},
        FormatCase{"parquet_small_groups", [] { return NewParquetFormat({.rows_per_group = 7}); },
                   ReadParquet}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace spillway::format
