#include "envelope/deflate/deflate_stream.h"

#include <algorithm>
#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include <isa-l.h>
#include <zlib.h>

namespace spillway::envelope {
namespace {

// Room for output at a time, at least; incompressible input grows by less than an eighth.
constexpr size_t kOutputBytes = 64 * 1024;
size_t OutputBytesFor(size_t input) { return input / 2 + kOutputBytes; }

// Both libraries count what is available in 32 bits.
uint32_t Clamp(size_t bytes) { return static_cast<uint32_t>(std::min<size_t>(bytes, 1u << 30)); }

uint8_t* MutableInput(const std::byte* input) {
  // Neither library writes to its input; their structures are older than const.
  return reinterpret_cast<uint8_t*>(const_cast<std::byte*>(input));
}

/// A byte that no match within `text` can begin with if it stands right before `text`: it and the
/// first two bytes of `text` follow one another nowhere in the window that reaches back to it. None
/// where each of the 256 does so.
std::optional<uint8_t> UnmatchedBefore(std::string_view text) {
  constexpr size_t kWindow = 32 << 10;
  constexpr uint8_t kNotInUtf8 = 0xff;
  text = text.substr(0, kWindow + 2);
  if (text.find(static_cast<char>(kNotInUtf8)) == std::string_view::npos) return kNotInUtf8;
  std::bitset<256> matched;
  const std::string_view start = text.substr(0, 2);
  for (size_t at = text.find(start, 1); at != std::string_view::npos; at = text.find(start, at + 1))
    matched.set(static_cast<uint8_t>(text[at - 1]));
  for (size_t byte = 0; byte < matched.size(); ++byte) {
    if (!matched[byte]) return static_cast<uint8_t>(byte);
  }
  return std::nullopt;
}

/// The output of ISA-L (2.30 to 2.32) depends on two things besides its input, which are kept
/// constant here:
/// - Where its input is cut. It gets blocks of one size, however they come.
/// - Where its stream stands in memory: for the third byte of a stream without history, levels 1
///   and 2 hash a register that still holds the stream's address (write_first_byte in
///   igzip_icf_body_h1_gr_bt.asm), which can make it miss a match. A dictionary of one byte is
///   history enough; no match begins with that byte, so nobody needs it to inflate the stream.
class IsalDeflateStream final : public DeflateStream {
 public:
  IsalDeflateStream(int level, Framing framing)
      : level_buffer_(level == 1 ? std::make_unique_for_overwrite<uint8_t[]>(LevelBufferBytes(1))
                                 : std::make_unique<uint8_t[]>(LevelBufferBytes(level))) {
    isal_deflate_init(&stream_);
    stream_.level = static_cast<uint32_t>(level);
    stream_.level_buf = level_buffer_.get();
    stream_.level_buf_size = LevelBufferBytes(level);
    stream_.gzip_flag = framing == Framing::kGzip ? IGZIP_GZIP : IGZIP_DEFLATE;
    stream_.flush = NO_FLUSH;
  }

  Result<> Append(std::span<const std::byte> bytes, Buffer& out) override {
    if (!pending_.empty()) {
      const size_t taken = std::min(bytes.size(), kBlockBytes - pending_.size());
      pending_.Append(bytes.first(taken));
      bytes = bytes.subspan(taken);
      if (pending_.size() < kBlockBytes) return {};
      TRY(DeflateBlock(pending_.bytes(), out));
      pending_.Clear();
    }
    for (; bytes.size() >= kBlockBytes; bytes = bytes.subspan(kBlockBytes))
      TRY(DeflateBlock(bytes.first(kBlockBytes), out));
    pending_.Append(bytes);
    return {};
  }

  Result<> Finish(Buffer& out) override {
    stream_.end_of_stream = 1;
    TRY(DeflateBlock(pending_.bytes(), out));
    while (stream_.internal_state.state != ZSTATE_END) TRY(Deflate(out));
    return {};
  }

 private:
  static uint32_t LevelBufferBytes(int level) {
    return level == 1   ? ISAL_DEF_LVL1_DEFAULT
           : level == 2 ? ISAL_DEF_LVL2_DEFAULT
                        : ISAL_DEF_LVL3_DEFAULT;
  }

  Result<> DeflateBlock(std::span<const std::byte> block, Buffer& out) {
    if (!begun_ && stream_.level < 3) TRY(GiveHistory(block));
    begun_ = true;  // Isal's own count of the input has 32 bits, and wraps around.
    stream_.next_in = MutableInput(block.data());
    stream_.avail_in = static_cast<uint32_t>(block.size());
    while (stream_.avail_in != 0) TRY(Deflate(out));
    return {};
  }

  Result<> GiveHistory(std::span<const std::byte> first) {
    if (first.empty()) return {};
    std::optional<uint8_t> byte =
        UnmatchedBefore({reinterpret_cast<const char*>(first.data()), first.size()});
    if (!byte.has_value()) return {};
    const int status = isal_deflate_set_dict(&stream_, &*byte, 1);
    if (status != COMP_OK)
      return Fail(ErrorCode::kInternal, "isal_deflate_set_dict returned " + std::to_string(status));
    return {};
  }

  Result<> Deflate(Buffer& out) {
    const uint32_t room = Clamp(OutputBytesFor(stream_.avail_in));
    stream_.next_out = reinterpret_cast<uint8_t*>(out.Reserve(room));
    stream_.avail_out = room;
    const int status = isal_deflate(&stream_);
    if (status != COMP_OK)
      return Fail(ErrorCode::kInternal, "isal_deflate returned " + std::to_string(status));
    out.Advance(room - stream_.avail_out);
    return {};
  }

  static constexpr size_t kBlockBytes = 256 << 10;

  Buffer pending_;      ///< The beginning of a block.
  bool begun_ = false;  ///< Isal was given some input.
  /// At level 1 Isal initialises what it reads, at levels 2 and 3 not all of it (as memcheck says).
  std::unique_ptr<uint8_t[]> level_buffer_;
  isal_zstream stream_;
};

class ZlibDeflateStream final : public DeflateStream {
 public:
  ~ZlibDeflateStream() override { deflateEnd(&stream_); }

  static Result<std::unique_ptr<DeflateStream>> Make(int level, Framing framing) {
    auto made = std::unique_ptr<ZlibDeflateStream>(new ZlibDeflateStream);
    constexpr int kWindowBits = 15;
    const int window_bits = framing == Framing::kGzip ? kWindowBits + 16 : -kWindowBits;
    const int status =
        deflateInit2(&made->stream_, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    if (status != Z_OK)
      return Fail(ErrorCode::kOutOfSpace,
                  "no memory for deflating at level " + std::to_string(level));
    return made;
  }

  Result<> Append(std::span<const std::byte> bytes, Buffer& out) override {
    while (!bytes.empty()) {
      const uint32_t taken = Clamp(bytes.size());
      stream_.next_in = MutableInput(bytes.data());
      stream_.avail_in = taken;
      while (stream_.avail_in != 0) TRY(Deflate(Z_NO_FLUSH, out));
      bytes = bytes.subspan(taken);
    }
    return {};
  }

  Result<> Finish(Buffer& out) override {
    while (!ended_) TRY(Deflate(Z_FINISH, out));
    return {};
  }

 private:
  ZlibDeflateStream() = default;

  Result<> Deflate(int flush, Buffer& out) {
    const uint32_t room = Clamp(OutputBytesFor(stream_.avail_in));
    stream_.next_out = reinterpret_cast<uint8_t*>(out.Reserve(room));
    stream_.avail_out = room;
    const int status = deflate(&stream_, flush);
    if (status != Z_OK && status != Z_STREAM_END) {
      return Fail(ErrorCode::kInternal, "deflate returned " + std::to_string(status));
    }
    ended_ = status == Z_STREAM_END;
    out.Advance(room - stream_.avail_out);
    return {};
  }

  z_stream stream_{};
  bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<DeflateStream>> NewDeflateStream(int level, Framing framing) {
  if (level < 1 || level > 9) {
    return Fail(ErrorCode::kInvalidArgument, "deflate level " + std::to_string(level) +
                                                 " does not exist; use 1 (fast) to 9 (small)");
  }
  if (level <= 3) return std::make_unique<IsalDeflateStream>(level, framing);
  return ZlibDeflateStream::Make(level, framing);
}

}  // namespace spillway::envelope
