#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace spillway {

/// An Ed25519 public key (RFC 8032).
class VerifyingKey {
 public:
  /// Reads a PEM file (SubjectPublicKeyInfo). A private key's file serves as well.
  static Result<VerifyingKey> Load(const std::filesystem::path& path);

  explicit VerifyingKey(std::array<uint8_t, 32> bytes) : bytes_(bytes) {}

  /// The first 16 hexadecimal digits of the key's SHA-256: tells keys apart.
  std::string id() const;
  std::string ToPem() const;

  /// Whether `signature`, as Sign wrote it, is this key's over exactly these bytes.
  bool Verify(std::string_view bytes, std::string_view signature) const;

 private:
  std::array<uint8_t, 32> bytes_;
};

/// An Ed25519 private key. Never printed.
class SigningKey {
 public:
  /// Makes a key and writes it to a new PEM file (PKCS #8) that only its owner may read, and the
  /// public key beside it. The file appears whole, or not at all; kAlreadyExists when there is one.
  static Result<SigningKey> Generate(const std::filesystem::path& path);
  /// The key in the file, or a new one when there is no file. Processes that make one at the same
  /// time all get the same key.
  static Result<SigningKey> LoadOrGenerate(const std::filesystem::path& path);
  /// Where the public key of a private key's file stands: signing.pub.pem beside signing.pem.
  static std::filesystem::path PublicPath(std::filesystem::path path);
  static Result<SigningKey> Load(const std::filesystem::path& path);

  explicit SigningKey(std::array<uint8_t, 32> seed) : seed_(seed) {}

  VerifyingKey verifying_key() const;

  /// One line of text: `ed25519 <key id> <base64 of the 64-byte signature>`, with a line break at
  /// its end.
  std::string Sign(std::string_view bytes) const;

 private:
  std::array<uint8_t, 32> seed_;
};

/// The id of the key that a signature, as Sign writes it, says it is by; empty for anything else.
std::string SignerOf(std::string_view signature);

}  // namespace spillway
