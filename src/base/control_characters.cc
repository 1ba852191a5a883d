#include "base/control_characters.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "base/utf8.h"

namespace spillway {

bool HasControlCharacter(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string EscapeControlCharacters(std::string_view text, std::string_view kept) {
  std::string escaped;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const size_t bytes = Utf8CharacterBytes(text);
    const bool is_short = (first < 0x20 || first == 0x7f) && !kept.contains(text.front());
    // U+0080 to U+009F, whose second byte is their number.
    const bool is_long = bytes == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    if (bytes == 0) {
      escaped += fmt::format("\\x{:02x}", first);
    } else if (is_short || is_long) {
      escaped += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[bytes - 1]));
    } else {
      escaped += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return escaped;
}

}  // namespace spillway
