#include "store/postgres/text.h"

#include <cstdint>

#include <fmt/format.h>

#include "base/utf8.h"

namespace spillway::store::postgres_state {
namespace {

constexpr char kEscape = '\1';

int Digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

}  // namespace

std::string Storable(std::string_view text) {
  if (text.find_first_of(std::string_view("\0\1", 2)) == std::string_view::npos && IsUtf8(text))
    return std::string(text);
  std::string stored;
  while (!text.empty()) {
    const size_t size = Utf8CharacterBytes(text);
    if (size == 0 || text.front() == '\0' || text.front() == kEscape) {
      stored += fmt::format("{}{:02x}", kEscape, static_cast<uint8_t>(text.front()));
      text.remove_prefix(1);
    } else {
      stored += text.substr(0, size);
      text.remove_prefix(size);
    }
  }
  return stored;
}

std::string Restored(std::string_view stored) {
  std::string text;
  for (size_t i = 0; i < stored.size(); ++i) {
    if (stored[i] == kEscape && i + 2 < stored.size()) {
      text += static_cast<char>(Digit(stored[i + 1]) * 16 + Digit(stored[i + 2]));
      i += 2;
    } else {
      text += stored[i];
    }
  }
  return text;
}

bool IsEscaped(std::string_view stored) { return stored.find(kEscape) != std::string_view::npos; }

}  // namespace spillway::store::postgres_state
