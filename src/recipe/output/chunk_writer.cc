#include "recipe/output/chunk_writer.h"

#include <algorithm>

#include <arrow/api.h>
#include <nlohmann/json.hpp>

#include "recipe/recipients.h"

namespace spillway::recipe {
namespace {

/// How finely a limit of bytes is met when the rest is to be left out.
constexpr uint64_t kTruncateStep = 1 << 20;

/// Room for what a format puts around its rows: header line, brackets.
uint64_t Framing(const arrow::Schema& schema) {
  uint64_t bytes = 64;
  for (const auto& field : schema.fields()) bytes += 2 * field->name().size() + 8;
  return bytes;
}

uint64_t PartBytesMax(const OutputOptions& output, const arrow::Schema& schema) {
  const uint64_t limit = output.limits.bytes_per_file;
  if (limit == 0 || output.limits.on_limit == OnLimit::kFail) return 0;
  const uint64_t whole =
      output.limits.on_limit == OnLimit::kTruncate ? std::min(limit, kTruncateStep) : limit;
  return std::max<uint64_t>(whole, Framing(schema) + 1) - Framing(schema);
}

}  // namespace

bool PartsAreFiles(const OutputOptions& output, const FileKind& kind) {
  const bool splits_by_bytes =
      output.limits.bytes_per_file > 0 && output.limits.on_limit == OnLimit::kSplit;
  return !kind.format->joinable() || splits_by_bytes;
}

ChunkWriter::ChunkWriter(const OutputOptions& output, const FileKind& kind,
                         const arrow::Schema& schema, std::vector<FileRun> runs, int64_t chunk,
                         Timestamp modified, engine::Staging& staging)
    : output_(output),
      kind_(kind),
      schema_(schema),
      runs_(std::move(runs)),
      chunk_(chunk),
      modified_(modified),
      staging_(staging),
      part_bytes_max_(PartBytesMax(output, schema)) {}

Result<> ChunkWriter::Open(bool last) {
  using engine::PartOrder;
  const FileRun& run = runs_[run_];
  const bool opens_file = run.first && parts_of_run_ == 0;
  if (output_.compression == Compression::kZip) {
    std::string member = run.file;
    if (parts_of_run_ > 0) {
      const size_t dot = member.find('.', member.rfind('/') + 1);
      member.insert(dot, "_part" + std::to_string(parts_of_run_ + 1));
    }
    encoder_ =
        TRY(NewZipPart(kind_, schema_, std::move(member), modified_, output_.compression_level,
                       staging_.NewPart(std::string(kArchive), chunk_, PartOrder::kInTurn)));
  } else if (PartsAreFiles(output_, kind_)) {
    const std::string file = std::to_string(chunk_) + "-" + std::to_string(parts_.size());
    encoder_ = TRY(NewFilePart(kind_, schema_, {.first = true, .last = true},
                               staging_.NewPart(file, chunk_, PartOrder::kAlone)));
  } else {
    encoder_ = TRY(NewFilePart(kind_, schema_, {.first = opens_file, .last = last && run.last},
                               staging_.NewPart(run.file, chunk_, PartOrder::kInPlace)));
  }
  return {};
}

Result<> ChunkWriter::Close(std::stop_token stop) {
  engine::Part part = TRY(encoder_->Finish(stop));
  if (part.detail.empty())
    part.detail = nlohmann::json{{"member_bytes", encoder_->encoded_bytes()}}.dump();
  parts_.push_back(std::move(part));
  ++parts_of_run_;
  encoder_.reset();
  return {};
}

Result<uint64_t> ChunkWriter::Measure(const arrow::RecordBatch& batch) const {
  auto encoder = TRY(kind_.format->NewEncoder(schema_, {.first = false, .last = false}));
  Buffer bytes;
  TRY(encoder->Append(batch, bytes));
  return bytes.size();
}

Result<int64_t> ChunkWriter::Fitting(const arrow::RecordBatch& batch, uint64_t room) const {
  if (TRY(Measure(batch)) <= room) return batch.num_rows();
  int64_t fits = 0;
  int64_t too_many = batch.num_rows();
  while (too_many - fits > 1) {
    const int64_t middle = fits + (too_many - fits) / 2;
    (TRY(Measure(*batch.Slice(0, middle))) <= room ? fits : too_many) = middle;
  }
  return fits;
}

uint64_t ChunkWriter::bytes() const {
  uint64_t bytes = encoder_ == nullptr ? 0 : encoder_->written_bytes();
  for (const engine::Part& part : parts_) bytes += part.bytes;
  return bytes;
}

Result<> ChunkWriter::Append(const arrow::RecordBatch& batch, std::stop_token stop) {
  int64_t done = 0;
  while (run_ + 1 < runs_.size()) {
    const int64_t fitting = std::min(runs_[run_].rows - rows_of_run_, batch.num_rows() - done);
    if (fitting > 0) TRY(AppendToRun(*batch.Slice(done, fitting), stop));
    done += fitting;
    rows_of_run_ += fitting;
    if (rows_of_run_ < runs_[run_].rows) return {};
    if (encoder_ == nullptr) TRY(Open(/*last=*/true));
    TRY(Close(stop));
    ++run_;
    rows_of_run_ = 0;
    parts_of_run_ = 0;
  }
  if (done == 0) return AppendToRun(batch, stop);
  return done == batch.num_rows() ? Result<>{} : AppendToRun(*batch.Slice(done), stop);
}

Result<> ChunkWriter::AppendToRun(const arrow::RecordBatch& batch, std::stop_token stop) {
  if (part_bytes_max_ == 0) {
    if (encoder_ == nullptr) TRY(Open(/*last=*/true));
    return encoder_->Append(batch, stop);
  }
  int64_t done = 0;
  while (done < batch.num_rows()) {
    if (encoder_ == nullptr) TRY(Open(/*last=*/false));
    const std::shared_ptr<arrow::RecordBatch> rest = batch.Slice(done);
    const uint64_t used = std::min(encoder_->encoded_bytes(), part_bytes_max_);
    int64_t fitting = TRY(Fitting(*rest, part_bytes_max_ - used));
    if (fitting == 0) {
      if (encoder_->encoded_bytes() == 0) {
        return Fail(ErrorCode::kOutOfSpace, "a single row is larger than limits.bytes_per_file " +
                                                std::to_string(output_.limits.bytes_per_file) +
                                                " allows");
      }
      TRY(Close(stop));
      continue;
    }
    TRY(encoder_->Append(*rest->Slice(0, fitting), stop));
    done += fitting;
  }
  return {};
}

Result<engine::ChunkResult> ChunkWriter::Finish(int64_t rows, int64_t cut_off,
                                                std::stop_token stop) {
  if (encoder_ == nullptr) TRY(Open(/*last=*/true));
  TRY(Close(stop));
  engine::ChunkResult result{.parts = std::move(parts_)};
  for (const engine::Part& part : result.parts) {
    result.counts.written += part.rows;
    result.counts.bytes += static_cast<int64_t>(part.bytes);
  }
  result.counts.planned = rows + cut_off;
  result.counts.excluded = cut_off;
  if (cut_off > 0) {
    result.errors.push_back({.key = std::to_string(cut_off) + " rows",
                             .classification = std::string(kExcluded),
                             .message = "left out at limits.rows_per_file " +
                                        std::to_string(output_.limits.rows_per_file)});
  }
  return result;
}

}  // namespace spillway::recipe
