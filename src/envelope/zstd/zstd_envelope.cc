#include <memory>
#include <string>
#include <utility>

#include <zstd.h>

#include "envelope/envelope.h"

namespace spillway::envelope {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
using Context = std::unique_ptr<ZSTD_CCtx, FreeContext>;

class ZstdWrapper final : public Wrapper {
 public:
  explicit ZstdWrapper(Context context) : context_(std::move(context)) {}

  Result<> Append(std::span<const std::byte> bytes, Buffer& out) override {
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    while (input.pos < input.size) TRY(Compress(input, ZSTD_e_continue, out));
    return {};
  }

  Result<> Finish(Buffer& out) override {
    ZSTD_inBuffer input{nullptr, 0, 0};
    while (TRY(Compress(input, ZSTD_e_end, out)) != 0) {
    }
    return {};
  }

 private:
  // Returns what is still to be flushed.
  Result<size_t> Compress(ZSTD_inBuffer& input, ZSTD_EndDirective directive, Buffer& out) {
    const size_t room = ZSTD_CStreamOutSize() + (input.size - input.pos) / 2;
    ZSTD_outBuffer output{out.Reserve(room), room, 0};
    const size_t left = ZSTD_compressStream2(context_.get(), &output, &input, directive);
    if (ZSTD_isError(left))
      return Fail(ErrorCode::kInternal, std::string("zstd: ") + ZSTD_getErrorName(left));
    out.Advance(output.pos);
    return left;
  }

  Context context_;
};

class ZstdEnvelope final : public Envelope {
 public:
  explicit ZstdEnvelope(int level) : level_(level) {}

  std::string_view extension() const override { return ".zst"; }

  Result<std::unique_ptr<Wrapper>> NewWrapper() const override {
    Context context(ZSTD_createCCtx());
    if (context == nullptr) return Fail(ErrorCode::kOutOfSpace, "no memory for zstd");
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level_);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    return std::make_unique<ZstdWrapper>(std::move(context));
  }

 private:
  int level_;
};

}  // namespace

Result<std::unique_ptr<Envelope>> NewZstdEnvelope(int level) {
  if (level < 1 || level > 19) {
    return Fail(ErrorCode::kInvalidArgument, "zstd level " + std::to_string(level) +
                                                 " does not exist; use 1 (fast) to 19 (small)");
  }
  return std::make_unique<ZstdEnvelope>(level);
}

}  // namespace spillway::envelope
