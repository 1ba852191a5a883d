#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/types.h>

#include "base/error.h"

/// The cryptography that age v1 is made of, by OpenSSL's libcrypto. Every call may fail with
/// kUnsupported where OpenSSL is configured without an algorithm.
namespace spillway::age {

using Bytes = std::span<const std::byte>;

constexpr size_t kKeyBytes = 32;  ///< Of X25519, of HKDF-SHA256's result, of ChaCha20-Poly1305.
constexpr size_t kTagBytes = 16;  ///< Of Poly1305.

/// Secret bytes of a known number, overwritten when they go.
template <size_t kBytes>
struct Secret {
  std::array<uint8_t, kBytes> bytes = {};

  Secret() = default;
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { OPENSSL_cleanse(bytes.data(), kBytes); }
};
using Key = Secret<kKeyBytes>;
using PublicKey = std::array<uint8_t, kKeyBytes>;
using Mac = std::array<uint8_t, kKeyBytes>;

/// Fills `bytes` with OpenSSL's randomness for secrets. kUnavailable when the system has none.
Result<> FillRandom(std::span<uint8_t> bytes);

/// X25519 (RFC 7748): the public key of a secret one.
Result<PublicKey> PublicKeyOf(std::span<const uint8_t, kKeyBytes> secret);

/// X25519: nothing when `peer` is a point of low order, with which all have the same secret.
Result<std::optional<Key>> SharedSecret(std::span<const uint8_t, kKeyBytes> secret,
                                        const PublicKey& peer);

/// HKDF-SHA256 (RFC 5869), 32 bytes.
Result<Key> Hkdf(std::span<const uint8_t> secret, std::span<const uint8_t> salt,
                 std::string_view info);

/// HMAC-SHA256 (RFC 2104).
Result<Mac> HmacSha256(const Key& key, std::string_view bytes);

/// ChaCha20-Poly1305 (RFC 8439) without additional data, of bytes with an ordinal number: the nonce
/// is the number as 11 bytes, big-endian, and a byte that says whether they are the last ones. One
/// thread at a time.
class Cipher {
 public:
  enum class Direction { kSeal, kOpen };
  static Result<Cipher> New(const Key& key, Direction direction);

  /// Writes as many bytes as `plain` has, and kTagBytes. No number may be sealed twice.
  Result<> Seal(uint64_t number, bool last, Bytes plain, uint8_t* sealed);

  /// Writes kTagBytes less than `sealed` has, which must be at least that long. False when they are
  /// not what Seal wrote for the same key, number and `last`; then `plain` means nothing.
  Result<bool> Open(uint64_t number, bool last, Bytes sealed, uint8_t* plain);

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const;
  };
  using Context = std::unique_ptr<EVP_CIPHER_CTX, Free>;
  explicit Cipher(Context context) : context_(std::move(context)) {}

  Context context_;
};

}  // namespace spillway::age
