#include "config/problem.h"

#include <cstddef>

#include <fmt/format.h>

namespace spillway::config {

std::string ToString(const Problem& problem) {
  const Position& at = problem.position;
  if (at.line == 0) return fmt::format("{}: {}", at.source, problem.message);
  return fmt::format("{}:{}:{}: {}", at.source, at.line, at.column, problem.message);
}

std::string Quoted(std::string_view text) {
  constexpr size_t kShownBytesMax = 60;
  std::string quoted = "\"";
  for (const char c : text.substr(0, kShownBytesMax)) {
    if (c == '\n') {
      quoted += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  if (text.size() > kShownBytesMax) {
    // Not in the middle of a character.
    while ((static_cast<unsigned char>(quoted.back()) & 0xC0U) == 0x80U) quoted.pop_back();
    if (static_cast<unsigned char>(quoted.back()) >= 0xC0U) quoted.pop_back();
    quoted += "…";
  }
  return quoted + '"';
}

}  // namespace spillway::config
