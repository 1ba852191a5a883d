#include <memory>
#include <utility>

#include "envelope/deflate/deflate_stream.h"
#include "envelope/envelope.h"

namespace spillway::envelope {
namespace {

class GzipWrapper final : public Wrapper {
 public:
  explicit GzipWrapper(std::unique_ptr<DeflateStream> stream) : stream_(std::move(stream)) {}

  Result<> Append(std::span<const std::byte> bytes, Buffer& out) override {
    return stream_->Append(bytes, out);
  }
  Result<> Finish(Buffer& out) override { return stream_->Finish(out); }

 private:
  std::unique_ptr<DeflateStream> stream_;
};

class GzipEnvelope final : public Envelope {
 public:
  explicit GzipEnvelope(int level) : level_(level) {}

  std::string_view extension() const override { return ".gz"; }
  Result<std::unique_ptr<Wrapper>> NewWrapper() const override {
    return std::make_unique<GzipWrapper>(TRY(NewDeflateStream(level_, Framing::kGzip)));
  }

 private:
  int level_;
};

}  // namespace

Result<std::unique_ptr<Envelope>> NewGzipEnvelope(int level) {
  TRY(NewDeflateStream(level, Framing::kGzip));
  return std::make_unique<GzipEnvelope>(level);
}

}  // namespace spillway::envelope
