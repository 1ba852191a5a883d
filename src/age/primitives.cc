#include "age/primitives.h"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace spillway::age {
namespace {

template <auto kFree>
struct Freer {
  void operator()(auto* object) const { kFree(object); }
};
using EvpKey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using EvpKeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using EvpKdf = std::unique_ptr<EVP_KDF, Freer<EVP_KDF_free>>;
using EvpKdfContext = std::unique_ptr<EVP_KDF_CTX, Freer<EVP_KDF_CTX_free>>;

std::unexpected<Error> Refused(std::string_view what) {
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format("OpenSSL does not compute {} here; its configuration must allow it", what));
}

EvpKey PrivateKey(std::span<const uint8_t, kKeyBytes> secret) {
  return EvpKey(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, secret.data(), secret.size()));
}

constexpr std::string_view kX25519 = "X25519";
constexpr std::string_view kHkdf = "HKDF-SHA256";
constexpr std::string_view kHmac = "HMAC-SHA256";
constexpr std::string_view kCipher = "ChaCha20-Poly1305";

std::array<uint8_t, 12> Nonce(uint64_t number, bool last) {
  std::array<uint8_t, 12> nonce = {};
  for (size_t i = 0; i < 8; ++i) nonce[10 - i] = static_cast<uint8_t>(number >> (8 * i));
  nonce[11] = last ? 1 : 0;
  return nonce;
}

const uint8_t* Data(Bytes bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

}  // namespace

Result<> FillRandom(std::span<uint8_t> bytes) {
  if (RAND_priv_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return FailTransient(ErrorCode::kUnavailable,
                         "the system has no randomness for a key now; try again");
  return {};
}

Result<PublicKey> PublicKeyOf(std::span<const uint8_t, kKeyBytes> secret) {
  const EvpKey own = PrivateKey(secret);
  PublicKey key;
  size_t size = key.size();
  if (own == nullptr || EVP_PKEY_get_raw_public_key(own.get(), key.data(), &size) != 1)
    return Refused(kX25519);
  return key;
}

Result<std::optional<Key>> SharedSecret(std::span<const uint8_t, kKeyBytes> secret,
                                        const PublicKey& peer) {
  const EvpKey own = PrivateKey(secret);
  const EvpKey other(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer.data(), peer.size()));
  if (own == nullptr || other == nullptr) return Refused(kX25519);
  const EvpKeyContext context(EVP_PKEY_CTX_new(own.get(), nullptr));
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), other.get()) != 1)
    return Refused(kX25519);
  std::optional<Key> shared(std::in_place);
  size_t size = shared->bytes.size();
  // It fails by itself for points of low order (RFC 7748, section 6.1).
  if (EVP_PKEY_derive(context.get(), shared->bytes.data(), &size) != 1) shared.reset();
  return shared;
}

Result<Key> Hkdf(std::span<const uint8_t> secret, std::span<const uint8_t> salt,
                 std::string_view info) {
  static const EvpKdf kKdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  if (kKdf == nullptr) return Refused(kHkdf);
  const EvpKdfContext context(EVP_KDF_CTX_new(kKdf.get()));
  // OpenSSL only reads them, but its pointers are not const.
  const auto octets = [](const char* name, const void* data, size_t size) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(data), size);
  };
  char digest[] = "SHA256";
  std::array<OSSL_PARAM, 5> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
      octets(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      salt.empty() ? OSSL_PARAM_construct_end()
                   : octets(OSSL_KDF_PARAM_SALT, salt.data(), salt.size()),
      OSSL_PARAM_construct_end()};
  Key derived;
  if (context == nullptr || EVP_KDF_derive(context.get(), derived.bytes.data(),
                                           derived.bytes.size(), parameters.data()) != 1)
    return Refused(kHkdf);
  return derived;
}

Result<Mac> HmacSha256(const Key& key, std::string_view bytes) {
  Mac mac;
  if (HMAC(EVP_sha256(), key.bytes.data(), static_cast<int>(key.bytes.size()),
           reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), mac.data(),
           nullptr) == nullptr)
    return Refused(kHmac);
  return mac;
}

void Cipher::Free::operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }

Result<Cipher> Cipher::New(const Key& key, Direction direction) {
  Context context(EVP_CIPHER_CTX_new());
  if (context == nullptr ||
      EVP_CipherInit_ex(context.get(), EVP_chacha20_poly1305(), nullptr, key.bytes.data(), nullptr,
                        direction == Direction::kSeal ? 1 : 0) != 1)
    return Refused(kCipher);
  return Cipher(std::move(context));
}

Result<> Cipher::Seal(uint64_t number, bool last, Bytes plain, uint8_t* sealed) {
  EVP_CIPHER_CTX* context = context_.get();
  const auto nonce = Nonce(number, last);
  uint8_t* const tag = sealed + plain.size();
  int size = 0;
  if (EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) != 1 ||
      EVP_EncryptUpdate(context, sealed, &size, Data(plain), static_cast<int>(plain.size())) != 1 ||
      EVP_EncryptFinal_ex(context, tag, &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag) != 1)
    return Refused(kCipher);
  return {};
}

Result<bool> Cipher::Open(uint64_t number, bool last, Bytes sealed, uint8_t* plain) {
  EVP_CIPHER_CTX* context = context_.get();
  const auto nonce = Nonce(number, last);
  const Bytes body = sealed.first(sealed.size() - kTagBytes);
  std::array<uint8_t, kTagBytes> tag;
  std::copy_n(Data(sealed) + body.size(), kTagBytes, tag.data());
  int size = 0;
  if (EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) != 1 ||
      EVP_DecryptUpdate(context, plain, &size, Data(body), static_cast<int>(body.size())) != 1)
    return Refused(kCipher);
  return EVP_DecryptFinal_ex(context, plain + body.size(), &size) == 1;
}

}  // namespace spillway::age
