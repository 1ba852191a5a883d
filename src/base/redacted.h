#pragma once

#include <string>
#include <utility>

#include <openssl/crypto.h>

namespace spillway {

/// A secret in memory. No stream, format or log takes it (that does not compile); its bytes are
/// overwritten when it goes. Not thread-safe to assign.
class Redacted {
 public:
  Redacted() = default;
  explicit Redacted(std::string secret) : secret_(std::move(secret)) {}
  Redacted(const Redacted&) = default;
  Redacted& operator=(const Redacted& other) {
    if (this != &other) {
      Wipe();
      secret_ = other.secret_;
    }
    return *this;
  }
  ~Redacted() { Wipe(); }

  /// The secret itself, for the call that needs it.
  const std::string& Reveal() const { return secret_; }
  bool empty() const { return secret_.empty(); }

 private:
  void Wipe() { OPENSSL_cleanse(secret_.data(), secret_.size()); }

  std::string secret_;
};

}  // namespace spillway
