// Any bytes as COPY's binary format: no crash; however they are cut, the same rows and the same
// end; and every batch is a valid Arrow one.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/api.h>

#include "source/postgres/copy_decoder.h"

namespace spillway::postgres_source {
namespace {

void Require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

// bool, bytea, bigint, smallint, integer, text, oid, real, double, date, time, timestamp,
// timestamptz, numeric, uuid, jsonb
std::vector<Column> ColumnsFor(uint8_t choice) {
  constexpr std::array<uint32_t, 16> kTypes = {16,  17,   20,   21,   23,   25,   26,   700,
                                               701, 1082, 1083, 1114, 1184, 1700, 2950, 3802};
  constexpr std::array<int32_t, 3> kModifiers = {(10 << 16 | 2) + 4, (38 << 16 | 9) + 4,
                                                 (76 << 16 | 30) + 4};
  std::vector<Column> columns;
  for (size_t i = 0; i < 3; ++i) {
    const uint32_t type = kTypes[(choice + i * 5) % kTypes.size()];
    columns.push_back(
        ColumnOf("c", type, kModifiers[choice / kTypes.size() % kModifiers.size()], "type", false));
  }
  return columns;
}

struct Seen {
  int64_t rows = 0;
  std::string end;
};

Seen Decode(const std::vector<Column>& columns, std::string_view bytes, size_t piece) {
  Seen seen;
  const DecodeOptions options{
      .rows_per_batch = 7, .text_per_batch = 64, .check_text = bytes.size() % 2 == 0};
  CopyDecoder decoder(columns, options, [&](const arrow::RecordBatch& batch) -> Result<> {
    Require(batch.Validate().ok(), batch.Validate().ToString());
    seen.rows += batch.num_rows();
    return {};
  });
  Result<> result;
  for (size_t at = 0; at < bytes.size() && result.has_value(); at += piece)
    result = decoder.Append(bytes.substr(at, piece));
  if (result.has_value()) result = decoder.Finish();
  seen.end = result.has_value() ? "" : result.error().message;
  return seen;
}

}  // namespace
}  // namespace spillway::postgres_source

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spillway::postgres_source;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto columns = ColumnsFor(data[0]);
  const Seen whole = Decode(columns, bytes, size);
  const Seen cut = Decode(columns, bytes, static_cast<size_t>(data[1]) + 1);
  Require(whole.rows == cut.rows, "another cut, other rows");
  Require(whole.end.empty() == cut.end.empty(), "another cut, another end: " + whole.end + cut.end);
  return 0;
}
