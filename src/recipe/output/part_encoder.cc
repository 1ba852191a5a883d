#include "recipe/output/part_encoder.h"

#include <arrow/record_batch.h>
#include <nlohmann/json.hpp>

namespace spillway::envelope {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ZipEntry, name, crc32, compressed_bytes, member_bytes,
                                   stored_bytes, descriptor)

}  // namespace spillway::envelope

namespace spillway::recipe {
namespace {

/// What a zip member may hold in memory before its header is fixed. By bytes, not by turn, so that
/// the same rows always make the same archive.
constexpr size_t kMemberPendingMax = 16 << 20;

Result<std::unique_ptr<format::Format>> MakeFormat(const OutputOptions& output) {
  switch (output.format) {
    case FileFormat::kCsv: {
      format::CsvOptions csv = output.csv;
      csv.time_zone = output.time_zone;
      return format::NewCsvFormat(std::move(csv));
    }
    case FileFormat::kJson:
      return format::NewJsonFormat({.lines = false, .time_zone = output.time_zone});
    case FileFormat::kNdjson:
      return format::NewJsonFormat({.lines = true, .time_zone = output.time_zone});
    case FileFormat::kParquet:
      return format::NewParquetFormat(
          {.zstd_level = output.compression_level, .time_zone = output.time_zone});
  }
  return Fail(ErrorCode::kInternal, "unknown file format");
}

Result<std::unique_ptr<envelope::Envelope>> MakeEnvelope(const OutputOptions& output) {
  switch (output.compression) {
    case Compression::kNone:
      return envelope::NewPlainEnvelope();
    case Compression::kGzip:
      return envelope::NewGzipEnvelope(output.compression_level);
    case Compression::kZstd:
      return envelope::NewZstdEnvelope(output.compression_level);
    case Compression::kZip:
      return nullptr;
  }
  return Fail(ErrorCode::kInternal, "unknown compression");
}

/// Rows straight into the part: nothing between the format and the stage.
class PlainPart final : public PartEncoder {
 public:
  PlainPart(std::unique_ptr<format::Encoder> encoder, engine::PartWriter writer)
      : encoder_(std::move(encoder)), writer_(std::move(writer)) {}

  Result<> Append(const arrow::RecordBatch& batch, std::stop_token stop) override {
    TRY(encoder_->Append(batch, writer_.buffer()));
    rows_ += batch.num_rows();
    return writer_.Commit(stop);
  }

  uint64_t encoded_bytes() const override { return writer_.bytes(); }
  uint64_t written_bytes() const override { return writer_.bytes(); }

  Result<engine::Part> Finish(std::stop_token stop) override {
    TRY(encoder_->Finish(writer_.buffer()));
    return writer_.Finish(rows_, stop);
  }

 private:
  std::unique_ptr<format::Encoder> encoder_;
  engine::PartWriter writer_;
  int64_t rows_ = 0;
};

class CompressedPart final : public PartEncoder {
 public:
  CompressedPart(std::unique_ptr<format::Encoder> encoder,
                 std::unique_ptr<envelope::Wrapper> wrapper, engine::PartWriter writer)
      : encoder_(std::move(encoder)), wrapper_(std::move(wrapper)), writer_(std::move(writer)) {}

  Result<> Append(const arrow::RecordBatch& batch, std::stop_token stop) override {
    TRY(encoder_->Append(batch, encoded_));
    rows_ += batch.num_rows();
    return Wrap(stop);
  }

  uint64_t encoded_bytes() const override { return encoded_bytes_; }
  uint64_t written_bytes() const override { return writer_.bytes(); }

  Result<engine::Part> Finish(std::stop_token stop) override {
    TRY(encoder_->Finish(encoded_));
    TRY(Wrap(stop));
    TRY(wrapper_->Finish(writer_.buffer()));
    return writer_.Finish(rows_, stop);
  }

 private:
  Result<> Wrap(std::stop_token stop) {
    encoded_bytes_ += encoded_.size();
    TRY(wrapper_->Append(encoded_.bytes(), writer_.buffer()));
    encoded_.Clear();
    return writer_.Commit(stop);
  }

  std::unique_ptr<format::Encoder> encoder_;
  std::unique_ptr<envelope::Wrapper> wrapper_;
  engine::PartWriter writer_;
  Buffer encoded_;
  uint64_t encoded_bytes_ = 0;
  int64_t rows_ = 0;
};

class ZipPart final : public PartEncoder {
 public:
  ZipPart(std::unique_ptr<format::Encoder> encoder, std::unique_ptr<envelope::ZipMember> member,
          engine::PartWriter writer)
      : encoder_(std::move(encoder)), member_(std::move(member)), writer_(std::move(writer)) {}

  Result<> Append(const arrow::RecordBatch& batch, std::stop_token stop) override {
    TRY(encoder_->Append(batch, encoded_));
    rows_ += batch.num_rows();
    TRY(Deflate());
    if (member_->pending().size() < kMemberPendingMax) return {};
    return Drain(stop);
  }

  uint64_t encoded_bytes() const override { return encoded_bytes_; }
  uint64_t written_bytes() const override { return writer_.bytes(); }

  Result<engine::Part> Finish(std::stop_token stop) override {
    TRY(encoder_->Finish(encoded_));
    TRY(Deflate());
    const envelope::ZipEntry entry = TRY(member_->Finish());
    TRY(Drain(stop));
    engine::Part part = TRY(writer_.Finish(rows_, stop));
    part.detail = ToJson(entry);
    return part;
  }

 private:
  Result<> Deflate() {
    encoded_bytes_ += encoded_.size();
    TRY(member_->Append(encoded_.bytes()));
    encoded_.Clear();
    return {};
  }

  Result<> Drain(std::stop_token stop) {
    writer_.buffer().Append(member_->pending().bytes());
    member_->Drain();
    return writer_.Commit(stop);
  }

  std::unique_ptr<format::Encoder> encoder_;
  std::unique_ptr<envelope::ZipMember> member_;
  engine::PartWriter writer_;
  Buffer encoded_;
  uint64_t encoded_bytes_ = 0;
  int64_t rows_ = 0;
};

}  // namespace

Result<FileKind> FileKind::Make(const OutputOptions& output) {
  FileKind kind;
  kind.format = TRY(MakeFormat(output));
  kind.envelope = TRY(MakeEnvelope(output));
  return kind;
}

std::string FileKind::extension() const {
  std::string extension(format->extension());
  if (envelope != nullptr) extension += envelope->extension();
  return extension;
}

Result<std::unique_ptr<PartEncoder>> NewFilePart(const FileKind& kind, const arrow::Schema& schema,
                                                 format::Position position,
                                                 engine::PartWriter writer) {
  auto encoder = TRY(kind.format->NewEncoder(schema, position));
  if (kind.envelope->extension().empty()) {
    return std::make_unique<PlainPart>(std::move(encoder), std::move(writer));
  }
  auto wrapper = TRY(kind.envelope->NewWrapper());
  return std::make_unique<CompressedPart>(std::move(encoder), std::move(wrapper),
                                          std::move(writer));
}

Result<std::unique_ptr<PartEncoder>> NewZipPart(const FileKind& kind, const arrow::Schema& schema,
                                                std::string member, Timestamp modified, int level,
                                                engine::PartWriter writer) {
  auto encoder = TRY(kind.format->NewEncoder(schema, {.first = true, .last = true}));
  auto zip = TRY(envelope::NewZipMember(std::move(member), modified, level));
  return std::make_unique<ZipPart>(std::move(encoder), std::move(zip), std::move(writer));
}

std::string ToJson(const envelope::ZipEntry& entry) { return nlohmann::json(entry).dump(); }

Result<envelope::ZipEntry> ZipEntryFromJson(std::string_view json) {
  try {
    return nlohmann::json::parse(json).get<envelope::ZipEntry>();
  } catch (const nlohmann::json::exception& broken) {
    return Fail(ErrorCode::kCorrupt,
                std::string("a zip member's record does not read: ") + broken.what());
  }
}

}  // namespace spillway::recipe
