#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "age/primitives.h"
#include "base/error.h"
#include "base/redacted.h"

/// age v1 (C2SP's age.md) with X25519 keys: files that the ordinary `age` opens, and writes.
namespace spillway::age {

/// Whom a file is sealed for: an X25519 public key.
class Recipient {
 public:
  /// Reads `age1…`. Errors say what to give instead, and do not show the text, which may be a secret
  /// given by mistake: kUnsupported for recipients of other kinds (post-quantum, hardware tags,
  /// plugins, SSH), kInvalidArgument for anything else.
  static Result<Recipient> Parse(std::string_view text);

  explicit Recipient(const PublicKey& key) : key_(key) {}

  std::string ToText() const;
  const PublicKey& key() const { return key_; }

  bool operator==(const Recipient&) const = default;

 private:
  PublicKey key_;
};

/// Who can open a file: an X25519 secret key, overwritten when it goes.
class Identity {
 public:
  static Result<Identity> Generate();

  /// Reads `AGE-SECRET-KEY-1…`. Errors as those of Recipient::Parse.
  static Result<Identity> Parse(std::string_view text);

  Redacted ToText() const;
  const Recipient& recipient() const { return recipient_; }
  std::span<const uint8_t, kKeyBytes> key() const { return KeyOf(key_); }

 private:
  static std::span<const uint8_t, kKeyBytes> KeyOf(const Redacted& key) {
    return std::span<const uint8_t, kKeyBytes>(
        reinterpret_cast<const uint8_t*>(key.Reveal().data()), kKeyBytes);
  }
  /// `key` has kKeyBytes.
  static Result<Identity> Of(const Redacted& key);
  Identity(const Redacted& key, const Recipient& recipient) : key_(key), recipient_(recipient) {}

  Redacted key_;
  Recipient recipient_;
};

/// The identities of a file with one a line; lines that are empty or begin with `#` are passed over.
/// Errors name the line; a file without any is kInvalidArgument.
Result<std::vector<Identity>> ParseIdentities(std::string_view file);

}  // namespace spillway::age
