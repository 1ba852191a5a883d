#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "source/lake/ndjson_input.h"

namespace spillway::lake {
namespace {

constexpr size_t kInputBytes = 256 * 1024;
constexpr size_t kMagicBytes = 4;

/// The input's bytes, looked at before they are taken; on their way they are counted and digested.
class Intake {
 public:
  Intake(NdjsonInput& input, bool with_digest) : input_(input), with_digest_(with_digest) {}

  /// Bytes that were read and not taken.
  std::span<const std::byte> pending() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void Take(size_t bytes) { begin_ += bytes; }
  bool ended() const { return ended_; }
  uint64_t bytes() const { return bytes_; }
  const std::string& name() const { return input_.name(); }

  /// Reads on, behind what is pending.
  Result<> Fill() {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    const size_t read = TRY(ReadInto({buffer_.get() + end_, kInputBytes - end_}));
    end_ += read;
    return {};
  }

  /// Past the buffer, which must be empty.
  Result<size_t> ReadInto(std::span<std::byte> into) {
    const size_t read = TRY(input_.Read(into));
    if (with_digest_) digest_.Update(into.first(read));
    bytes_ += read;
    ended_ = read == 0;
    return read;
  }

  std::string Digest() { return ToHex(digest_.Finish()); }

 private:
  NdjsonInput& input_;
  const bool with_digest_;
  Sha256 digest_;
  std::unique_ptr<std::byte[]> buffer_ = std::make_unique_for_overwrite<std::byte[]>(kInputBytes);
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t bytes_ = 0;
  bool ended_ = false;
};

class TextBase : public NdjsonText {
 public:
  explicit TextBase(std::unique_ptr<Intake> intake) : intake_(std::move(intake)) {}
  uint64_t input_bytes() const override { return intake_->bytes(); }
  std::string Digest() override { return intake_->Digest(); }

 protected:
  std::unexpected<Error> CutShort(std::string_view format) const {
    return Fail(ErrorCode::kCorrupt, intake_->name() + ": the " + std::string(format) +
                                         " data is cut short: copy the file again");
  }
  std::unexpected<Error> Damaged(std::string_view format) const {
    return Fail(ErrorCode::kCorrupt,
                intake_->name() + ": the " + std::string(format) + " data is damaged");
  }
  Intake& intake() { return *intake_; }

 private:
  std::unique_ptr<Intake> intake_;
};

class PlainText final : public TextBase {
 public:
  using TextBase::TextBase;

  Result<size_t> Read(std::span<std::byte> into) override {
    if (const auto pending = intake().pending(); !pending.empty()) {
      const size_t taken = std::min(pending.size(), into.size());
      std::memcpy(into.data(), pending.data(), taken);
      intake().Take(taken);
      return taken;
    }
    return intake().ReadInto(into);
  }
};

class GzipText final : public TextBase {
 public:
  explicit GzipText(std::unique_ptr<Intake> intake) : TextBase(std::move(intake)) { StartMember(); }

  Result<size_t> Read(std::span<std::byte> into) override {
    while (true) {
      if (intake().pending().empty()) TRY(intake().Fill());
      const auto pending = intake().pending();
      if (state_->block_state == ISAL_BLOCK_FINISH) {
        if (pending.empty()) return 0;
        StartMember();
      }
      state_->next_in = const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(pending.data()));
      state_->avail_in = static_cast<uint32_t>(pending.size());
      state_->next_out = reinterpret_cast<uint8_t*>(into.data());
      state_->avail_out = static_cast<uint32_t>(into.size());
      if (isal_inflate(state_.get()) != ISAL_DECOMP_OK) return Damaged("gzip");
      intake().Take(pending.size() - state_->avail_in);
      const size_t written = into.size() - state_->avail_out;
      if (written > 0) return written;
      if (pending.empty() && state_->block_state != ISAL_BLOCK_FINISH) return CutShort("gzip");
    }
  }

 private:
  void StartMember() {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
  }

  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
};

class ZstdText final : public TextBase {
 public:
  using TextBase::TextBase;

  Result<size_t> Read(std::span<std::byte> into) override {
    while (true) {
      if (intake().pending().empty()) TRY(intake().Fill());
      const auto pending = intake().pending();
      if (pending.empty() && !inside_frame_) return 0;
      ZSTD_inBuffer from{pending.data(), pending.size(), 0};
      ZSTD_outBuffer to{into.data(), into.size(), 0};
      const size_t left = ZSTD_decompressStream(stream_.get(), &to, &from);
      if (ZSTD_isError(left)) return Damaged("Zstandard");
      intake().Take(from.pos);
      inside_frame_ = left != 0;
      if (to.pos > 0) return to.pos;
      if (pending.empty() && inside_frame_) return CutShort("Zstandard");
    }
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_{ZSTD_createDStream()};
  bool inside_frame_ = false;
};

bool StartsWith(std::span<const std::byte> bytes, std::initializer_list<uint8_t> magic) {
  return bytes.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](uint8_t a, std::byte b) { return std::byte{a} == b; });
}

}  // namespace

Result<std::unique_ptr<NdjsonText>> ReadNdjsonText(NdjsonInput& input, bool with_digest) {
  auto intake = std::make_unique<Intake>(input, with_digest);
  while (intake->pending().size() < kMagicBytes && !intake->ended()) TRY(intake->Fill());
  std::unique_ptr<NdjsonText> text;
  if (StartsWith(intake->pending(), {0x1F, 0x8B})) {
    text = std::make_unique<GzipText>(std::move(intake));
  } else if (StartsWith(intake->pending(), {0x28, 0xB5, 0x2F, 0xFD})) {
    text = std::make_unique<ZstdText>(std::move(intake));
  } else {
    text = std::make_unique<PlainText>(std::move(intake));
  }
  return text;
}

Result<std::string> DigestOf(NdjsonInput& input) {
  Intake intake(input, true);
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kInputBytes);
  while (TRY(intake.ReadInto({buffer.get(), kInputBytes})) > 0) {
  }
  return intake.Digest();
}

}  // namespace spillway::lake
