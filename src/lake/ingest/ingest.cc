#include "lake/ingest/ingest.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <fmt/format.h>
#include <simdjson.h>

#include "lake/ingest/block_parser.h"
#include "lake/ingest/file_publisher.h"
#include "lake/ingest/ingest_pool.h"
#include "lake/ingest/line_blocks.h"
#include "lake/ingest/ndjson_row.h"
#include "lake/ingest/partition_buffers.h"
#include "lake/log/data_file_name.h"
#include "lake/log/present_files.h"

namespace spillway::lake {
namespace {

constexpr size_t kBlockBytes = 1 << 20;
/// Below this, an input's digest is computed before anything is parsed.
constexpr uint64_t kDigestFirstBytes = 256 << 20;
/// The memory that a thread needs in addition to the waiting rows: for a row group in Arrow and its
/// encoded pages.
constexpr uint64_t kThreadBytes = 64 << 20;
constexpr size_t kBatchIdBytesMax = 1024;
/// Rows are converted to Arrow in parts of at most about this many bytes.
constexpr size_t kPartBytes = 64 << 20;
constexpr int kWriterDigits = 16;
/// Threads that publish files. They mostly wait for the disk.
constexpr int kPublishers = 8;

std::string BatchIdOf(const std::string& digest) { return "sha256-" + digest; }

Result<> Check(const IngestOptions& options) {
  const std::string& id = options.batch_id;
  if (id.size() > kBatchIdBytesMax || !simdjson::validate_utf8(id)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("a batch id is UTF-8 of at most {} bytes", kBatchIdBytesMax));
  }
  if (options.threads < 1 || options.files.row_group_rows < 1) {
    return Fail(ErrorCode::kInvalidArgument, "threads and rows of a row group are at least 1");
  }
  if (options.line_bytes_max < 1 || options.line_bytes_max > kLineBytesLimit) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("a line may be allowed 1 to {} bytes, not {}", kLineBytesLimit,
                            options.line_bytes_max));
  }
  return {};
}

/// The id where it is known before the input is read; else empty.
Result<std::string> KnownBatchId(const NdjsonInput& input, const IngestOptions& options) {
  if (!options.batch_id.empty()) return options.batch_id;
  if (input.bytes().value_or(kDigestFirstBytes + 1) > kDigestFirstBytes) return std::string();
  const auto again = TRY(input.Reopen());
  if (again == nullptr) return std::string();
  return BatchIdOf(TRY(DigestOf(*again)));
}

/// One attempt at a batch: everything between its first line and its commit.
class Attempt {
 public:
  Attempt(storage::ObjectStore& lake, const LakeSchema& schema, const RowLayout& layout,
          RejectSink& rejects, const NdjsonInput& input, const IngestOptions& options,
          std::string label, Random& random)
      : lake_(lake),
        schema_(schema),
        layout_(layout),
        options_(options),
        label_(std::move(label)),
        writer_(random.Hex(kWriterDigits)),
        rejects_(rejects, input.name()),
        rows_bytes_max_(RowBytesMax(options)) {}

  Result<> Run(NdjsonText& text, const NdjsonInput& input, std::stop_token stop,
               const std::function<void(const IngestProgress&)>& progress) {
    LineBlocks blocks(text, kBlockBytes, options_.line_bytes_max, kRejectedTextBytes);
    IngestPool pool(
        options_.threads, [&] { return MakeWorker(blocks); },
        [this] { return partitions_.TakeAll(); }, stop);
    const auto report = [&] {
      if (progress) progress(Progress(text, input, blocks));
    };
    while (auto block = TRY(blocks.Next())) {
      if (!pool.Add(*std::move(block))) break;
      report();
    }
    TRY(pool.Finish(report));
    files_ = TRY(publisher_.Finish());
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the ingest was cancelled");
    lines_ = blocks.lines();
    text_bytes_ = blocks.bytes();
    std::ranges::sort(files_, {}, &DataFile::key);
    TRY(Reconcile());
    TRY(rejects_.Finish());
    return CheckPresent(lake_, files_);
  }

  void Describe(IngestReport& report) const {
    report.lines = lines_;
    report.rows = counts_.rows;
    report.rejected = counts_.rejected;
    report.empty_lines = counts_.empty_lines;
    for (const auto& parser : parsers_) report.ignored_fields += parser->ignored_fields();
    report.text_bytes = text_bytes_;
    report.files = static_cast<int64_t>(files_.size());
    for (const DataFile& file : files_) report.output_bytes += file.bytes;
  }

  Commit MakeCommit(std::string batch_id) const {
    return {.batch_id = std::move(batch_id),
            .added = files_,
            .lines = lines_,
            .rejected = counts_.rejected,
            .empty_lines = counts_.empty_lines};
  }

  /// What cannot be removed now is left to Vacuum.
  void RemoveFiles() {
    publisher_.Abandon();
    for (const std::string& key : keys_) static_cast<void>(lake_.Remove(key).has_value());
  }

 private:
  static size_t RowBytesMax(const IngestOptions& options) {
    const uint64_t threads = static_cast<uint64_t>(options.threads) * kThreadBytes;
    const uint64_t quarter = options.memory_bytes / 4;
    return options.memory_bytes > threads ? std::max(options.memory_bytes - threads, quarter)
                                          : quarter;
  }

  IngestPool::Worker MakeWorker(LineBlocks& blocks) {
    parsers_.push_back(
        std::make_unique<BlockParser>(layout_, schema_.organisation_field, options_.unknown_fields,
                                      options_.line_bytes_max, partitions_, rejects_));
    BlockParser& parser = *parsers_.back();
    return {
        .parse = [this, &parser, &blocks](LineBlock block) -> Result<std::vector<PartitionRows>> {
          auto rows = TRY(Parse(parser, block));
          blocks.Recycle(std::move(block));
          return rows;
        },
        .write =
            [this](const PartitionRows& rows, std::stop_token stop) {
              auto written = WriteFile(rows, std::move(stop));
              partitions_.Release(rows);
              return written;
            }};
  }

  Result<std::vector<PartitionRows>> Parse(BlockParser& parser, const LineBlock& block) {
    const LineCounts counts = TRY(parser.Parse(block));
    {
      const std::lock_guard lock(mutex_);
      counts_ += counts;
    }
    if (partitions_.memory_bytes() <= rows_bytes_max_) return std::vector<PartitionRows>{};
    return partitions_.Take(rows_bytes_max_ / 2);
  }

  IngestProgress Progress(const NdjsonText& text, const NdjsonInput& input,
                          const LineBlocks& blocks) {
    const std::lock_guard lock(mutex_);
    return {.input_bytes = text.input_bytes(),
            .input_bytes_total = input.bytes(),
            .lines = blocks.lines(),
            .rows = counts_.rows,
            .rows_written = rows_written_};
  }

  std::string NewKey(const PartitionRows& rows) {
    const std::lock_guard lock(mutex_);
    const auto number = static_cast<int64_t>(keys_.size());
    return keys_.emplace_back(PartitionPrefix(rows.organisation(), rows.day()) +
                              DataFileName(label_, writer_, number));
  }

  size_t PartRows(std::span<const char* const> rows) const {
    const size_t most = std::min(rows.size(), static_cast<size_t>(options_.files.row_group_rows));
    size_t bytes = HeaderOf(rows[0]).bytes;
    size_t count = 1;
    for (; count < most; ++count) {
      bytes += HeaderOf(rows[count]).bytes;
      if (bytes > kPartBytes) break;
    }
    return count;
  }

  Result<> WriteFile(const PartitionRows& rows, std::stop_token stop) {
    auto writer = TRY(DataFileWriter::Create(
        lake_, schema_,
        {.key = NewKey(rows), .organisation = rows.organisation(), .day = rows.day()},
        options_.files));
    const std::vector<const char*> sorted = rows.Sorted();
    for (std::span<const char* const> rest = sorted; !rest.empty();) {
      if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the ingest was cancelled");
      const auto part = rest.first(PartRows(rest));
      const auto batch = TRY(RowsToBatch(layout_, schema_.columns, part));
      TRY(writer->Write(*batch));
      rest = rest.subspan(part.size());
    }
    TRY(writer->Close());
    {
      const std::lock_guard lock(mutex_);
      rows_written_ += rows.rows();
    }
    return publisher_.Add(std::move(writer));
  }

  Result<> Reconcile() const {
    int64_t written = 0;
    for (const DataFile& file : files_) written += file.rows();
    if (lines_ != counts_.rows + counts_.rejected + counts_.empty_lines ||
        written != counts_.rows) {
      return Fail(
          ErrorCode::kInternal,
          fmt::format("nothing was added, because the counts differ: {} lines read, {} rows "
                      "parsed, {} rejected, {} empty, {} rows written",
                      lines_, counts_.rows, counts_.rejected, counts_.empty_lines, written));
    }
    return {};
  }

  storage::ObjectStore& lake_;
  const LakeSchema& schema_;
  const RowLayout& layout_;
  const IngestOptions& options_;
  const std::string label_;
  const std::string writer_;
  RejectOrder rejects_;
  const size_t rows_bytes_max_;
  PartitionBuffers partitions_;
  std::vector<std::unique_ptr<BlockParser>> parsers_;
  FilePublisher publisher_{kPublishers};
  std::mutex mutex_;  ///< Guards the next three while threads run.
  LineCounts counts_;
  int64_t rows_written_ = 0;
  std::vector<std::string> keys_;
  std::vector<DataFile> files_;
  int64_t lines_ = 0;
  uint64_t text_bytes_ = 0;
};

}  // namespace

Result<IngestReport> Ingest(storage::ObjectStore& lake, CommitLog& log, const LakeSchema& schema,
                            NdjsonInput& input, RejectSink& rejects, const IngestOptions& options,
                            Random& random, std::stop_token stop,
                            const std::function<void(const IngestProgress&)>& progress) {
  TRY(Check(options));
  const RowLayout layout = TRY(RowLayout::Of(schema));
  IngestReport report;
  report.batch_id = TRY(KnownBatchId(input, options));
  if (!report.batch_id.empty() && TRY(log.HasBatch(report.batch_id))) {
    report.duplicate = true;
    return report;
  }
  Attempt attempt(lake, schema, layout, rejects, input, options,
                  report.batch_id.empty() ? "batch" : report.batch_id, random);
  const auto text = TRY(ReadNdjsonText(input, options.batch_id.empty()));
  if (auto ran = attempt.Run(*text, input, stop, progress); !ran) {
    attempt.RemoveFiles();
    return std::unexpected(std::move(ran).error());
  }
  // If the input has changed since its digest was computed, the bytes that were parsed count.
  if (options.batch_id.empty()) report.batch_id = BatchIdOf(text->Digest());
  report.input_bytes = text->input_bytes();
  attempt.Describe(report);
  if (report.rows == 0) return report;

  const auto version = log.Append(attempt.MakeCommit(report.batch_id));
  if (version) {
    report.version = *version;
    return report;
  }
  if (version.error().code == ErrorCode::kAlreadyExists) {
    attempt.RemoveFiles();
    return IngestReport{.batch_id = report.batch_id, .duplicate = true};
  }
  return std::unexpected(version.error());
}

}  // namespace spillway::lake
