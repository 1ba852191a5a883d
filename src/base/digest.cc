#include "base/digest.h"

#include <algorithm>

#include <isa-l.h>
#include <openssl/evp.h>

namespace spillway {

struct Sha256::Context {
  Context() : evp(EVP_MD_CTX_new()) { EVP_DigestInit_ex(evp, EVP_sha256(), nullptr); }
  ~Context() { EVP_MD_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  EVP_MD_CTX* evp;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size());
}

Sha256Digest Sha256::Finish() {
  Sha256Digest digest;
  EVP_DigestFinal_ex(context_->evp, digest.data(), nullptr);
  return digest;
}

Sha256Digest Sha256Of(std::string_view bytes) {
  Sha256 hash;
  hash.Update(std::as_bytes(std::span(bytes)));
  return hash.Finish();
}

std::string ToHex(std::span<const uint8_t> bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

uint32_t Crc32(uint32_t crc, std::span<const std::byte> bytes) {
  return crc32_gzip_refl(crc, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

uint32_t Crc32c(uint32_t crc, std::span<const std::byte> bytes) {
  constexpr size_t kBlock = size_t{1} << 30;  // crc32_iscsi takes an int
  while (!bytes.empty()) {
    const auto block = bytes.first(std::min(bytes.size(), kBlock));
    // It only reads, but its pointer is not const.
    auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(block.data()));
    crc = ~crc32_iscsi(data, static_cast<int>(block.size()), ~crc);
    bytes = bytes.subspan(block.size());
  }
  return crc;
}

}  // namespace spillway
