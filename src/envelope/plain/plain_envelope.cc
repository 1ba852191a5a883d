#include <memory>

#include "envelope/envelope.h"

namespace spillway::envelope {
namespace {

class PlainWrapper final : public Wrapper {
 public:
  Result<> Append(std::span<const std::byte> bytes, Buffer& out) override {
    out.Append(bytes);
    return {};
  }
  Result<> Finish(Buffer&) override { return {}; }
};

class PlainEnvelope final : public Envelope {
 public:
  std::string_view extension() const override { return ""; }
  Result<std::unique_ptr<Wrapper>> NewWrapper() const override {
    return std::make_unique<PlainWrapper>();
  }
};

}  // namespace

std::unique_ptr<Envelope> NewPlainEnvelope() { return std::make_unique<PlainEnvelope>(); }

}  // namespace spillway::envelope
