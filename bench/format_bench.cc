// Encoding speed of the formats and envelopes, in bytes of output (formats) or input (envelopes) a
// second.

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

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

void Parquet(benchmark::State& state) {
  // Whole files of eight batches that differ.
  static const auto batches = [] {
    std::vector<std::shared_ptr<arrow::RecordBatch>> made;
    for (uint64_t i = 0; i < 8; ++i) made.push_back(MakeMessageBatch(kRows, 42 + i));
    return made;
  }();
  const auto format = *format::NewParquetFormat({});
  Buffer out;
  for (auto _ : state) {
    out.Clear();
    auto encoder = *format->NewEncoder(*batches[0]->schema(), {});
    for (const auto& batch : batches) {
      if (!encoder->Append(*batch, out)) std::abort();
    }
    if (!encoder->Finish(out)) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * 8 * kRows);
  state.counters["file_bytes"] = static_cast<double>(out.size());
}

const Buffer& MessagesAsCsv() {
  static const Buffer csv = [] {
    Buffer out;
    const auto format = *format::NewCsvFormat({});
    auto encoder = *format->NewEncoder(*Messages().schema(), {});
    if (!encoder->Append(Messages(), out)) std::abort();
    return out;
  }();
  return csv;
}

void Wrap(benchmark::State& state, const envelope::Envelope& envelope) {
  const Buffer& csv = MessagesAsCsv();
  Buffer out;
  for (auto _ : state) {
    out.Clear();
    auto wrapper = *envelope.NewWrapper();
    if (!wrapper->Append(csv.bytes(), out) || !wrapper->Finish(out)) std::abort();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(csv.size()));
  state.counters["ratio"] = static_cast<double>(out.size()) / static_cast<double>(csv.size());
}

void Gzip(benchmark::State& state) {
  Wrap(state, **envelope::NewGzipEnvelope(static_cast<int>(state.range(0))));
}
void Zstd(benchmark::State& state) {
  Wrap(state, **envelope::NewZstdEnvelope(static_cast<int>(state.range(0))));
}

void Digest(benchmark::State& state) {
  const Buffer& csv = MessagesAsCsv();
  Sha256 digest;
  for (auto _ : state) digest.Update(csv.bytes());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(csv.size()));
}

BENCHMARK_CAPTURE(Csv, plain, format::CsvOptions{});
BENCHMARK_CAPTURE(Csv, vienna, format::CsvOptions{.time_zone = "Europe/Vienna"});
BENCHMARK_CAPTURE(Csv, excel,
                  format::CsvOptions{
                      .delimiter = ';', .byte_order_mark = true, .escape_formulas = true});
BENCHMARK_CAPTURE(Csv, quote_all, format::CsvOptions{.quoting = format::Quoting::kAll});
BENCHMARK_CAPTURE(Json, array, format::JsonOptions{});
BENCHMARK_CAPTURE(Json, lines, format::JsonOptions{.lines = true});
BENCHMARK(Parquet);
BENCHMARK(Gzip)->DenseRange(1, 6)->Arg(9);
BENCHMARK(Zstd)->Arg(1)->Arg(3)->Arg(9);
BENCHMARK(Digest);

}  // namespace
}  // namespace spillway::bench

BENCHMARK_MAIN();
