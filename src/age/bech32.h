#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/redacted.h"

/// Bech32 (BIP 173) without its limit of 90 characters, as age writes keys.
namespace spillway::age {

struct Bech32 {
  std::string prefix;  ///< The human-readable part, in lower case.
  Redacted data;       ///< Whole bytes.
};

/// Lower-case text. `prefix` is in lower case.
Redacted ToBech32(std::string_view prefix, std::span<const uint8_t> data);

/// Reads a text of one case, upper or lower. Errors are kInvalidArgument and say what is wrong with
/// it without showing any of it.
Result<Bech32> FromBech32(std::string_view text);

}  // namespace spillway::age
