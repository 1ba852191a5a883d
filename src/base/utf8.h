#pragma once

#include <cstddef>
#include <string_view>

namespace spillway {

/// The length in bytes of the UTF-8 character (RFC 3629) that `text` begins with. 0 if it begins
/// with none: an empty text, a stray byte, a character that is cut off, a longer form than needed,
/// half a surrogate pair, or a number above U+10FFFF.
size_t Utf8CharacterBytes(std::string_view text);

/// The first `bytes` bytes of `text`, or up to three less, so that no character is cut off.
std::string_view Utf8Prefix(std::string_view text, size_t bytes);

/// Whether `text` consists of UTF-8 characters.
bool IsUtf8(std::string_view text);

}  // namespace spillway
