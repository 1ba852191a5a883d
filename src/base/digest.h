#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace spillway {

/// A SHA-256 value (FIPS 180-4).
using Sha256Digest = std::array<uint8_t, 32>;

/// SHA-256 of bytes that come in pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(std::span<const std::byte> bytes);

  /// The digest of everything so far; the object may be used for nothing else afterwards.
  Sha256Digest Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Sha256Digest Sha256Of(std::string_view bytes);

/// Lower-case hexadecimal.
std::string ToHex(std::span<const uint8_t> bytes);

/// CRC-32 as gzip and zip use it (RFC 1952), continuing from `crc`; start with 0.
uint32_t Crc32(uint32_t crc, std::span<const std::byte> bytes);

/// CRC-32C (Castagnoli, RFC 3720), continuing from `crc`; start with 0.
uint32_t Crc32c(uint32_t crc, std::span<const std::byte> bytes);

}  // namespace spillway
