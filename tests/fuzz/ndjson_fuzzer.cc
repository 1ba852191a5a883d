// Any bytes as an input of ingest: no crash, no hang; every line is a row, refused or empty,
// whatever the blocks; every refusal is one line of JSON; and what was taken as a row is one JSON
// object.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/api.h>
#include <nlohmann/json.hpp>
#include <simdjson.h>

#include "lake/ingest/block_parser.h"
#include "lake/ingest/line_blocks.h"
#include "lake/ingest/ndjson_input.h"
#include "lake/ingest/ndjson_row.h"
#include "lake/ingest/partition_buffers.h"
#include "lake/ingest/reject.h"

namespace spillway::lake {
namespace {

constexpr size_t kLineBytesMax = 300;

void Require(bool holds, const char* what, std::string_view seen) {
  if (holds) return;
  std::fprintf(stderr, "%s:\n%.*s\n", what, static_cast<int>(seen.size()), seen.data());
  std::abort();
}

class CountedRejects final : public RejectSink {
 public:
  Result<> Finish() override { return {}; }
  Result<> Write(std::string_view ndjson) override {
    while (!ndjson.empty()) {
      const size_t end = ndjson.find('\n');
      Require(end != std::string_view::npos, "a refusal without an end", ndjson);
      const auto reject = nlohmann::json::parse(ndjson.substr(0, end));
      const auto line = reject.at("line").get<int64_t>();
      Require(line > last_line_, "refusals out of order", ndjson);
      Require(!reject.at("reason").get<std::string>().empty(), "refused without a reason", ndjson);
      last_line_ = line;
      ++count;
      ndjson.remove_prefix(end + 1);
    }
    return {};
  }
  int64_t count = 0;

 private:
  int64_t last_line_ = 0;
};

const LakeSchema& Schema() {
  static const LakeSchema schema{
      .columns = arrow::schema(
          {arrow::field("i", arrow::utf8()),
           arrow::field("t", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
           arrow::field("n", arrow::int64()), arrow::field("f", arrow::float64()),
           arrow::field("d", arrow::decimal128(10, 4)), arrow::field("b", arrow::boolean())}),
      .organisation_field = "o",
      .time_column = "t"};
  return schema;
}

/// simdjson's other parser, which validates a document as a whole. It refuses numbers that a double
/// or 64 bits do not hold; a column, or a field that is passed over, may.
void RequireObject(std::string_view line) {
  static simdjson::dom::parser parser;
  simdjson::dom::element element;
  const auto error = parser.parse(line.data(), line.size()).get(element);
  if (error == simdjson::NUMBER_ERROR) return;
  Require(error == simdjson::SUCCESS && element.is_object(), "a row out of what is no object",
          line);
}

void CheckLines(std::string_view text, const RowLayout& layout, UnknownFields unknown) {
  NdjsonRowParser parser(layout, Schema().organisation_field, unknown, kLineBytesMax);
  Buffer rows;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string line(text.substr(0, end));
    const size_t bytes = line.size();
    line.append(NdjsonRowParser::kPadding, '\0');
    const std::string_view view = std::string_view(line).substr(0, bytes);
    if (parser.Parse(view, rows)) RequireObject(view);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::vector<std::string> Rows(PartitionBuffers& partitions) {
  std::vector<std::string> all;
  for (const PartitionRows& rows : partitions.TakeAll()) {
    for (const char* row : rows.Sorted()) {
      all.push_back(rows.organisation() + std::string(row, HeaderOf(row).bytes));
    }
  }
  std::ranges::sort(all);
  return all;
}

std::vector<std::string> Ingest(std::string_view bytes, const RowLayout& layout,
                                size_t block_bytes) {
  const auto input = NdjsonFromMemory(bytes, "fuzz");
  auto text = ReadNdjsonText(*input, false);
  if (!text) return {};
  LineBlocks blocks(**text, block_bytes, kLineBytesMax, 16);
  CountedRejects rejects;
  RejectOrder order(rejects, "fuzz");
  PartitionBuffers partitions;
  BlockParser parser(layout, Schema().organisation_field, UnknownFields::kIgnore, kLineBytesMax,
                     partitions, order);
  LineCounts counts;
  while (true) {
    auto block = blocks.Next();
    if (!block) return {};  // Compressed bytes that are damaged.
    if (!*block) break;
    counts += *parser.Parse(**block);
  }
  Require(blocks.lines() == counts.rows + counts.rejected + counts.empty_lines, "lines were lost",
          bytes);
  Require(rejects.count == counts.rejected, "refusals were lost", bytes);
  std::vector<std::string> rows = Rows(partitions);
  Require(static_cast<int64_t>(rows.size()) == counts.rows, "rows were lost", bytes);
  return rows;
}

}  // namespace
}  // namespace spillway::lake

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spillway::lake;
  static const RowLayout layout = *RowLayout::Of(Schema());
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckLines(bytes, layout, UnknownFields::kIgnore);
  CheckLines(bytes, layout, UnknownFields::kReject);
  const auto rows = Ingest(bytes, layout, 1 << 20);
  Require(rows == Ingest(bytes, layout, 1), "other rows out of other blocks", bytes);
  return 0;
}
