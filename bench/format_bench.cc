// Encoding speed of the formats and envelopes, in bytes of output (formats) or input (envelopes) a
// second.

#include <cstdlib>
#include <memory>
#include <string>

#include <arrow/api.h>
#include <benchmark/benchmark.h>

#include "base/digest.h"
#include "envelope/envelope.h"
#include "format/format.h"
#include "message_batch.h"

namespace spillway::bench {
namespace {

constexpr int64_t kRows = 16'384;

const arrow::RecordBatch& Messages() {
  static const std::shared_ptr<arrow::RecordBatch> messages = MakeMessageBatch(kRows, 42);
  return *messages;
}

void Encode(benchmark::State& state, const format::Format& format) {
  const arrow::RecordBatch& messages = Messages();
  auto encoder = *format.NewEncoder(*messages.schema(), {.first = false, .last = false});
  Buffer out;
  uint64_t bytes = 0;
  for (auto _ : state) {
    if (!encoder->Append(messages, out)) std::abort();
    bytes += out.size();
    out.Clear();
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
  state.SetItemsProcessed(state.iterations() * kRows);
}

void Csv(benchmark::State& state, format::CsvOptions options) {
  Encode(state, **format::NewCsvFormat(options));
}
void Json(benchmark::State& state, format::JsonOptions options) {
  Encode(state, **format::NewJsonFormat(options));
}

BENCHMARK_CAPTURE(Csv, plain, format::CsvOptions{});
BENCHMARK_CAPTURE(Csv, vienna, format::CsvOptions{.time_zone = "Europe/Vienna"});
BENCHMARK_CAPTURE(Csv, excel,
                  format::CsvOptions{
                      .delimiter = ';', .byte_order_mark = true, .escape_formulas = true});
BENCHMARK_CAPTURE(Csv, quote_all, format::CsvOptions{.quoting = format::Quoting::kAll});
BENCHMARK_CAPTURE(Json, array, format::JsonOptions{});
BENCHMARK_CAPTURE(Json, lines, format::JsonOptions{.lines = true});

}  // namespace
}  // namespace spillway::bench

BENCHMARK_MAIN();
