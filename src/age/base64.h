#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// Base64 as age's header has it (RFC 4648, section 4): without `=`, and canonical.
namespace spillway::age {

std::string ToBase64(std::span<const uint8_t> bytes);

/// Nothing for a text that ToBase64 does not write.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace spillway::age
