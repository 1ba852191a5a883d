#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "envelope/deflate/deflate_stream.h"
#include "envelope/zip/zip.h"
#include "envelope/zip/zip_records.h"

namespace spillway::envelope {
namespace {

// Zip has 16 bits for a name's length; extractors on some systems allow less.
constexpr size_t kNameBytesMax = 4096;

class DeflatedZipMember final : public ZipMember {
 public:
  DeflatedZipMember(std::string name, Timestamp modified, std::unique_ptr<DeflateStream> stream)
      : stream_(std::move(stream)) {
    entry_.name = std::move(name);
    AppendHeader(ZipTime(modified));
    header_bytes_ = pending_.size();
  }

  Result<> Append(std::span<const std::byte> bytes) override {
    entry_.crc32 = Crc32(entry_.crc32, bytes);
    entry_.member_bytes += bytes.size();
    return stream_->Append(bytes, pending_);
  }

  const Buffer& pending() const override { return pending_; }

  void Drain() override {
    drained_bytes_ += pending_.size();
    pending_.Clear();
  }

  Result<ZipEntry> Finish() override {
    TRY(stream_->Finish(pending_));
    entry_.compressed_bytes = drained_bytes_ + pending_.size() - header_bytes_;
    const bool small = entry_.compressed_bytes < kZipIn64 && entry_.member_bytes < kZipIn64;
    if (drained_bytes_ == 0 && small) {
      CorrectHeader();
    } else {
      entry_.descriptor = true;
      AppendDescriptor(small);
    }
    entry_.stored_bytes = drained_bytes_ + pending_.size();
    return entry_;
  }

 private:
  // As for a member that is drained: the sizes follow the data. There is no zip64 record, as in
  // archives of Go and Java; readers take it from the directory.
  void AppendHeader(uint32_t time) {
    AppendInteger(pending_, kZipLocalHeader);
    AppendInteger(pending_, kZipVersionDeflate);
    AppendInteger<uint16_t>(pending_, kZipFlagUtf8 | kZipFlagDescriptor);
    AppendInteger(pending_, kZipMethodDeflate);
    AppendInteger(pending_, time);
    AppendInteger<uint32_t>(pending_, 0);  // CRC
    AppendInteger<uint32_t>(pending_, 0);  // deflated bytes
    AppendInteger<uint32_t>(pending_, 0);  // bytes
    AppendInteger(pending_, static_cast<uint16_t>(entry_.name.size()));
    AppendInteger<uint16_t>(pending_, 0);
    pending_.Append(entry_.name);
  }

  void AppendDescriptor(bool small) {
    AppendInteger(pending_, kZipDescriptor);
    AppendInteger(pending_, entry_.crc32);
    if (small) {
      AppendInteger(pending_, static_cast<uint32_t>(entry_.compressed_bytes));
      AppendInteger(pending_, static_cast<uint32_t>(entry_.member_bytes));
    } else {
      AppendInteger(pending_, entry_.compressed_bytes);
      AppendInteger(pending_, entry_.member_bytes);
    }
  }

  // Corrects the header: all sizes are known, and the header is still pending.
  void CorrectHeader() {
    Mend<uint16_t>(6, kZipFlagUtf8);
    Mend(14, entry_.crc32);
    Mend(18, static_cast<uint32_t>(entry_.compressed_bytes));
    Mend(22, static_cast<uint32_t>(entry_.member_bytes));
  }

  template <class Integer>
  void Mend(size_t offset, Integer value) {
    std::memcpy(pending_.data() + offset, &value, sizeof(value));
  }

  std::unique_ptr<DeflateStream> stream_;
  ZipEntry entry_;
  Buffer pending_;
  size_t header_bytes_ = 0;
  uint64_t drained_bytes_ = 0;
};

Result<> CheckName(const std::string& name) {
  const auto refuse = [&](const char* why) -> Result<> {
    return Fail(ErrorCode::kInvalidArgument, "zip member \"" + name + "\": " + why);
  };
  if (name.empty() || name.size() > kNameBytesMax) return refuse("a name has 1 to 4096 bytes");
  if (name.find('\0') != std::string::npos || name.find('\\') != std::string::npos) {
    return refuse("a name holds no NUL and no backslash");
  }
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view segment = std::string_view(name).substr(begin, end - begin);
    if (segment.empty() || segment == "." || segment == "..")
      return refuse("a name has no empty, . or .. segment");
    begin = end + 1;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ZipMember>> NewZipMember(std::string name, Timestamp modified, int level) {
  TRY(CheckName(name));
  auto stream = TRY(NewDeflateStream(level, Framing::kRaw));
  return std::make_unique<DeflatedZipMember>(std::move(name), modified, std::move(stream));
}

}  // namespace spillway::envelope
