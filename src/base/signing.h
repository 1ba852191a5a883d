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
  /// Makes a key and writes it to a new PEM file (PKCS #8) that only its owner may read.
  /// kAlreadyExists when there is a file.
  static Result<SigningKey> Generate(const std::filesystem::path& path);
  static Result<SigningKey> Load(const std::filesystem::path& path);

  explicit SigningKey(std::array<uint8_t, 32> seed) : seed_(seed) {}

  VerifyingKey verifying_key() const;

  /// One line of text: `ed25519 <key id> <base64 of the 64-byte signature>`, with a line break at
  /// its end.
  std::string Sign(std::string_view bytes) const;

 private:
  std::array<uint8_t, 32> seed_;
};

}  // namespace spillway
