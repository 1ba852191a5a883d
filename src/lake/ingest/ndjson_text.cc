#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "lake/ingest/ndjson_input.h"

namespace spillway::lake {
namespace {

constexpr size_t kInputBytes = 256 * 1024;
/// Windows of 2 GiB, the most that libzstd reads on 64 bits.
constexpr int kZstandardWindowLogMax = 31;

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

  /// Reads more bytes, after those that are pending.
  Result<> Fill() {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    const size_t read = TRY(ReadInto({buffer_.get() + end_, kInputBytes - end_}));
    end_ += read;
    return {};
  }

  /// Reads directly into `into`. The buffer must be empty.
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

using std::string_view_literals::operator""sv;

constexpr std::string_view kGzip = "\x1F\x8B"sv;
constexpr std::string_view kZstandard = "\x28\xB5\x2F\xFD"sv;
constexpr std::string_view kSkippableEnd = "\x2A\x4D\x18"sv;  // After 0x50 to 0x5F.

bool StartsWith(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
}

/// Whether the bytes are the beginning of the magic number, and no more.
bool IsCutOff(std::span<const std::byte> bytes, std::string_view magic) {
  return !bytes.empty() && bytes.size() < magic.size() &&
         std::equal(
             bytes.begin(), bytes.end(), magic.begin(),
             [](std::byte a, uint8_t b) { return a == std::byte{b}; });
}

/// RFC 8878, section 3.1.2: a frame that decoders pass over. pzstd begins its files with one.
bool IsSkippable(std::span<const std::byte> bytes) {
  return bytes.size() >= 4 && (bytes[0] & std::byte{0xF0}) == std::byte{0x50} &&
         StartsWith(bytes.subspan(1), kSkippableEnd);
}

class TextBase : public NdjsonText {
 public:
  explicit TextBase(std::unique_ptr<Intake> intake) : intake_(std::move(intake)) {}
  uint64_t input_bytes() const override { return intake_->bytes(); }
  std::string Digest() override { return intake_->Digest(); }

 protected:
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

/// Compressed text: frames (gzip calls them members), one after the other. Zero bytes between and
/// after them are padding from a tape or a device, as for gzip(1). Other bytes there are an error,
/// since they may be text that was meant to be read.
class CompressedText : public TextBase {
 public:
  CompressedText(std::unique_ptr<Intake> intake, std::string_view format)
      : TextBase(std::move(intake)), format_(format) {}

  Result<size_t> Read(std::span<std::byte> into) override {
    while (true) {
      if (!inside_ && !TRY(NextFrame())) return 0;
      if (intake().pending().empty()) TRY(intake().Fill());
      const bool nothing_left = intake().pending().empty();
      const size_t written = TRY(Expand(into, inside_));
      if (written > 0) return written;
      if (nothing_left && inside_) return CutShort();
    }
  }

 protected:
  /// How many bytes Start looks at.
  static constexpr size_t kHeaderBytes = 18;

  virtual bool IsFrame(std::span<const std::byte> bytes) const = 0;
  virtual bool IsCutOffFrame(std::span<const std::byte> bytes) const = 0;
  /// Looks at the front of a frame: kHeaderBytes at least, or all there is.
  virtual Result<> Start(std::span<const std::byte> bytes) = 0;
  /// Takes from the intake, returns how many bytes it wrote; says whether the frame goes on.
  virtual Result<size_t> Expand(std::span<std::byte> into, bool& inside) = 0;

  std::unexpected<Error> Damaged(std::string_view how = "is damaged") const {
    return Fail(ErrorCode::kCorrupt, fmt::format("{}: the {} data {}", name(), format_, how));
  }
  const std::string& name() const { return const_cast<CompressedText*>(this)->intake().name(); }

 private:
  std::unexpected<Error> CutShort() const { return Damaged("is cut short: copy the file again"); }

  /// Whether there is another frame, at whose front the intake then stands.
  Result<bool> NextFrame() {
    while (true) {
      const auto pending = intake().pending();
      const auto padding =
          std::ranges::find_if(pending, [](std::byte b) { return b != std::byte{}; });
      intake().Take(static_cast<size_t>(padding - pending.begin()));
      if (intake().pending().size() >= kHeaderBytes || intake().ended()) break;
      TRY(intake().Fill());
    }
    const auto pending = intake().pending();
    if (pending.empty()) return false;
    if (!IsFrame(pending)) {
      if (IsCutOffFrame(pending)) return CutShort();
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("{}: at byte {}, after the {} data, stand bytes that are no {} data: "
                              "put them into a file of their own, or cut them off",
                              name(), intake().bytes() - pending.size(), format_, format_));
    }
    TRY(Start(pending));
    inside_ = true;
    return true;
  }

  const std::string_view format_;
  bool inside_ = false;
};

class GzipText final : public CompressedText {
 public:
  explicit GzipText(std::unique_ptr<Intake> intake) : CompressedText(std::move(intake), "gzip") {}

 private:
  bool IsFrame(std::span<const std::byte> bytes) const override { return StartsWith(bytes, kGzip); }
  bool IsCutOffFrame(std::span<const std::byte> bytes) const override {
    return IsCutOff(bytes, kGzip);
  }

  Result<> Start(std::span<const std::byte> /*bytes*/) override {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
    return {};
  }

  Result<size_t> Expand(std::span<std::byte> into, bool& inside) override {
    const auto pending = intake().pending();
    state_->next_in = const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(pending.data()));
    state_->avail_in = static_cast<uint32_t>(pending.size());
    state_->next_out = reinterpret_cast<uint8_t*>(into.data());
    state_->avail_out = static_cast<uint32_t>(into.size());
    if (isal_inflate(state_.get()) != ISAL_DECOMP_OK) return Damaged();
    intake().Take(pending.size() - state_->avail_in);
    inside = state_->block_state != ISAL_BLOCK_FINISH;
    return into.size() - state_->avail_out;
  }

  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
};

/// What a Zstandard frame asks for.
struct FrameNeeds {
  uint64_t window_bytes = 0;
  uint64_t dictionary = 0;  ///< 0: none.
};

/// RFC 8878, section 3.1.1.1, of the front of a frame. All fields are zero for a frame that is
/// skippable, or cut short, of which the decoder says more.
FrameNeeds NeedsOf(std::span<const std::byte> bytes) {
  constexpr std::array<size_t, 4> kDictionaryBytes = {0, 1, 2, 4};
  constexpr std::array<size_t, 4> kContentBytes = {0, 2, 4, 8};
  if (!StartsWith(bytes, kZstandard) || bytes.size() < kZstandard.size() + 2) return {};
  bytes = bytes.subspan(kZstandard.size());
  const auto descriptor = std::to_integer<unsigned>(bytes[0]);
  const bool single_segment = (descriptor >> 5 & 1) != 0;
  bytes = bytes.subspan(1);
  FrameNeeds needs;
  if (!single_segment) {
    const auto window = std::to_integer<unsigned>(bytes[0]);
    const uint64_t base = uint64_t{1} << (10 + (window >> 3));
    needs.window_bytes = base + base / 8 * (window & 7);
    bytes = bytes.subspan(1);
  }
  const auto take = [&](size_t count) {
    uint64_t value = 0;
    if (count > bytes.size()) return value;
    for (size_t i = 0; i < count; ++i) value |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
    bytes = bytes.subspan(count);
    return value;
  };
  needs.dictionary = take(kDictionaryBytes[descriptor & 3]);
  // All of a single segment is its window; those of up to two bytes are small.
  if (single_segment && descriptor >> 6 > 1)
    needs.window_bytes = take(kContentBytes[descriptor >> 6]);
  return needs;
}

class ZstdText final : public CompressedText {
 public:
  explicit ZstdText(std::unique_ptr<Intake> intake)
      : CompressedText(std::move(intake), "Zstandard") {
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kZstandardWindowLogMax);
  }

 private:
  bool IsFrame(std::span<const std::byte> bytes) const override {
    return StartsWith(bytes, kZstandard) || IsSkippable(bytes);
  }
  bool IsCutOffFrame(std::span<const std::byte> bytes) const override {
    return IsCutOff(bytes, kZstandard) ||
           ((bytes[0] & std::byte{0xF0}) == std::byte{0x50} &&
            (bytes.size() == 1 || IsCutOff(bytes.subspan(1), kSkippableEnd)));
  }

  Result<> Start(std::span<const std::byte> bytes) override {
    const FrameNeeds needs = NeedsOf(bytes);
    window_bytes_ = needs.window_bytes;
    if (window_bytes_ > uint64_t{1} << kZstandardWindowLogMax) {
      return Damaged(
          fmt::format("needs a window of {0} MiB, and up to {1} MiB are given: compress "
                      "it with a window of {1} MiB or less",
                      window_bytes_ >> 20, uint64_t{1} << (kZstandardWindowLogMax - 20)));
    }
    if (needs.dictionary != 0) {
      return Damaged(fmt::format("needs the dictionary {}, which cannot be given: expand it first",
                                 needs.dictionary));
    }
    return {};
  }

  Result<size_t> Expand(std::span<std::byte> into, bool& inside) override {
    const auto pending = intake().pending();
    ZSTD_inBuffer from{pending.data(), pending.size(), 0};
    ZSTD_outBuffer to{into.data(), into.size(), 0};
    const size_t left = ZSTD_decompressStream(stream_.get(), &to, &from);
    if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) {
      return FailTransient(ErrorCode::kUnavailable,
                           fmt::format("{}: there is no memory for a window of {} MiB", name(),
                                       window_bytes_ >> 20));
    }
    if (ZSTD_isError(left)) return Damaged();
    intake().Take(from.pos);
    inside = left != 0;
    return to.pos;
  }

  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_{ZSTD_createDStream()};
  uint64_t window_bytes_ = 0;
};

/// Files that can be neither read as text nor expanded, and what to do with them.
struct Foreign {
  std::string_view magic;
  std::string_view what;
};

constexpr std::array kForeign = {
    Foreign{"PAR1"sv, "is a Parquet file: put it into the lake's directory and adopt it there"},
    Foreign{"\xFD"
            "7zXZ\0"sv,
            "is compressed by xz: expand it first"},
    Foreign{"BZh"sv, "is compressed by bzip2: expand it first"},
    Foreign{"\x04\x22\x4D\x18"sv, "is compressed by LZ4: expand it first"},
    Foreign{"PK\x03\x04"sv, "is a zip archive: unpack it first"},
    Foreign{"\xFF\x06\0\0sN"sv, "is compressed by Snappy: expand it first"},
    Foreign{"\xFF\xFE"sv, "is text in UTF-16: convert it to UTF-8"},
    Foreign{"\xFE\xFF"sv, "is text in UTF-16: convert it to UTF-8"},
};

constexpr size_t kMagicBytes = 6;

/// What an input's first bytes say of it; `bytes` has kMagicBytes of them, or all there are.
Result<std::unique_ptr<NdjsonText>> TextOf(std::unique_ptr<Intake> intake) {
  const auto bytes = intake->pending();
  std::unique_ptr<NdjsonText> text;
  if (StartsWith(bytes, kGzip) || IsCutOff(bytes, kGzip)) {
    text = std::make_unique<GzipText>(std::move(intake));
    return text;
  }
  const bool cut_off = bytes.size() > 1 && IsCutOff(bytes, kZstandard);
  if (StartsWith(bytes, kZstandard) || IsSkippable(bytes) || cut_off) {
    text = std::make_unique<ZstdText>(std::move(intake));
    return text;
  }
  for (const Foreign& foreign : kForeign) {
    if (!StartsWith(bytes, foreign.magic)) continue;
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} {}", intake->name(), foreign.what));
  }
  const std::string& name = intake->name();
  const bool named_compressed = name.ends_with(".gz") || name.ends_with(".zst");
  if (bytes.empty() && named_compressed) {
    return Fail(
        ErrorCode::kCorrupt,
        name + " is empty, where compressed data has a header at least: copy the file again");
  }
  text = std::make_unique<PlainText>(std::move(intake));
  return text;
}

}  // namespace

Result<std::unique_ptr<NdjsonText>> ReadNdjsonText(NdjsonInput& input, bool with_digest) {
  auto intake = std::make_unique<Intake>(input, with_digest);
  while (intake->pending().size() < kMagicBytes && !intake->ended()) TRY(intake->Fill());
  return TextOf(std::move(intake));
}

Result<std::string> DigestOf(NdjsonInput& input) {
  Intake intake(input, true);
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kInputBytes);
  while (TRY(intake.ReadInto({buffer.get(), kInputBytes})) > 0) {
  }
  return intake.Digest();
}

}  // namespace spillway::lake
